CREATE TABLE `approvals` (
	`id` text PRIMARY KEY NOT NULL,
	`task` text NOT NULL,
	`agent` text NOT NULL,
	`tenant` text NOT NULL,
	`workload` text NOT NULL,
	`issuer` text NOT NULL,
	`chain_json` text,
	`entitlement` text NOT NULL,
	`provider` text NOT NULL,
	`target` text NOT NULL,
	`grant_hash` text NOT NULL,
	`shown_json` text NOT NULL,
	`ttl_seconds` integer NOT NULL,
	`policy_hash` text NOT NULL,
	`decision` text NOT NULL,
	`epoch` integer NOT NULL,
	`state` text NOT NULL,
	`cause` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`decided_at` integer,
	`decided_by` text,
	`reason` text,
	`lease` text,
	`notice_due_at` integer,
	`notice_attempts` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `approvals_created` ON `approvals` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `approvals_open` ON `approvals` (`agent`,`task`) WHERE state in ('pending', 'granted');--> statement-breakpoint
CREATE INDEX `approvals_expiry` ON `approvals` (`expires_at`) WHERE state in ('pending', 'granted');--> statement-breakpoint
CREATE INDEX `approvals_denied` ON `approvals` (`agent`,`entitlement`,`decided_at`) WHERE state = 'denied';--> statement-breakpoint
CREATE INDEX `approvals_notice` ON `approvals` (`notice_due_at`) WHERE notice_due_at is not null;--> statement-breakpoint
ALTER TABLE `leases` ADD `approval` text;