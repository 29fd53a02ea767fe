CREATE TABLE `audit` (
	`seq` integer PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`type` text NOT NULL,
	`actor` text NOT NULL,
	`tenant` text,
	`task` text,
	`lease` text,
	`data_json` text NOT NULL,
	`prev` text NOT NULL,
	`hash` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `audit_lease_alone` ON `audit` (`lease`) WHERE lease is not null and task is null;--> statement-breakpoint
CREATE INDEX `audit_task` ON `audit` (`task`) WHERE task is not null;--> statement-breakpoint
CREATE TABLE `blocks` (
	`id` text PRIMARY KEY NOT NULL,
	`selector_json` text NOT NULL,
	`tenants_json` text,
	`reason` text NOT NULL,
	`created_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`lifted_at` integer,
	`lifted_by` text
);
--> statement-breakpoint
CREATE INDEX `blocks_live` ON `blocks` (`created_at`) WHERE lifted_at is null;--> statement-breakpoint
CREATE TABLE `decisions` (
	`id` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`action` text NOT NULL,
	`outcome` text NOT NULL,
	`agent` text NOT NULL,
	`tenant` text NOT NULL,
	`workload` text NOT NULL,
	`task` text,
	`entitlement` text,
	`lease` text,
	`policies_json` text NOT NULL,
	`rails_json` text NOT NULL,
	`reasons_json` text NOT NULL,
	`policy_hash` text NOT NULL,
	`request_json` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `decisions_at` ON `decisions` (`at`,`id`);--> statement-breakpoint
CREATE TABLE `evidence_used` (
	`id` text PRIMARY KEY NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `evidence_expiry` ON `evidence_used` (`expires_at`);--> statement-breakpoint
CREATE TABLE `kill_leases` (
	`kill_seq` integer NOT NULL,
	`lease` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `kill_leases_key` ON `kill_leases` (`kill_seq`,`lease`);--> statement-breakpoint
CREATE TABLE `kills` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`selector_json` text NOT NULL,
	`reason` text NOT NULL,
	`cause` text NOT NULL,
	`ordered_by` text NOT NULL,
	`tenants_json` text,
	`created_at` integer NOT NULL,
	`block` text,
	`signal` text,
	`ends_tasks` integer NOT NULL,
	`lane_rank` integer NOT NULL,
	`counts_json` text NOT NULL,
	`open` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `kills_id` ON `kills` (`id`);--> statement-breakpoint
CREATE INDEX `kills_block` ON `kills` (`block`) WHERE block is not null;--> statement-breakpoint
CREATE INDEX `kills_signal` ON `kills` (`signal`) WHERE signal is not null;--> statement-breakpoint
CREATE INDEX `kills_open` ON `kills` (`seq`) WHERE open = 1;--> statement-breakpoint
CREATE TABLE `leases` (
	`id` text PRIMARY KEY NOT NULL,
	`task` text NOT NULL,
	`agent` text NOT NULL,
	`tenant` text NOT NULL,
	`workload` text NOT NULL,
	`issuer` text NOT NULL,
	`entitlement` text NOT NULL,
	`provider` text NOT NULL,
	`target` text NOT NULL,
	`target_json` text NOT NULL,
	`group_key` text,
	`group_capacity` integer,
	`intent_json` text NOT NULL,
	`state` text NOT NULL,
	`containment` text,
	`proof_json` text,
	`cause` text,
	`generation` integer NOT NULL,
	`created_at` integer NOT NULL,
	`ttl_seconds` integer NOT NULL,
	`native_floor_seconds` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`native_expires_at` integer,
	`latest_possible_expiry` integer NOT NULL,
	`exposed_until` integer NOT NULL,
	`ending_since` integer,
	`ended_at` integer,
	`upstream_name` text NOT NULL,
	`scope_json` text NOT NULL,
	`residuals_json` text NOT NULL,
	`revocability` text NOT NULL,
	`decision` text NOT NULL,
	`policy_hash` text NOT NULL,
	`slot` text,
	`handle_json` text,
	`renewing` integer NOT NULL,
	`kill_seq` integer NOT NULL,
	`idempotency_key` text,
	`request_hash` text,
	`lane_rank` integer,
	`due_at` integer,
	`attempts` integer NOT NULL,
	`last_error` text
);
--> statement-breakpoint
CREATE INDEX `leases_due` ON `leases` (`provider`,`lane_rank`,`tenant`,`due_at`) WHERE due_at is not null;--> statement-breakpoint
CREATE INDEX `leases_expiry` ON `leases` (`expires_at`) WHERE state = 'active';--> statement-breakpoint
CREATE INDEX `leases_running_out` ON `leases` (`latest_possible_expiry`) WHERE state = 'ending';--> statement-breakpoint
CREATE INDEX `leases_unsettled` ON `leases` (`id`) WHERE state = 'reserved' or renewing = 1;--> statement-breakpoint
CREATE INDEX `leases_live` ON `leases` (`provider`) WHERE state in ('reserved', 'active', 'ending');--> statement-breakpoint
CREATE INDEX `leases_created` ON `leases` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `leases_task` ON `leases` (`task`);--> statement-breakpoint
CREATE INDEX `leases_agent` ON `leases` (`agent`,`state`);--> statement-breakpoint
CREATE INDEX `leases_tenant` ON `leases` (`tenant`,`state`);--> statement-breakpoint
CREATE INDEX `leases_entitlement` ON `leases` (`entitlement`,`state`);--> statement-breakpoint
CREATE INDEX `leases_group` ON `leases` (`group_key`,`latest_possible_expiry`) WHERE group_key is not null and containment is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `leases_slot` ON `leases` (`provider`,`slot`) WHERE slot is not null;--> statement-breakpoint
CREATE INDEX `leases_idempotency` ON `leases` (`task`,`idempotency_key`) WHERE idempotency_key is not null;--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `signals` (
	`id` text PRIMARY KEY NOT NULL,
	`source` text NOT NULL,
	`message_id` text NOT NULL,
	`body_hash` text NOT NULL,
	`received_at` integer NOT NULL,
	`subject_json` text NOT NULL,
	`effective_json` text NOT NULL,
	`level` text,
	`action` text NOT NULL,
	`reason` text NOT NULL,
	`expires_at` integer,
	`superseded_at` integer,
	`kill` text,
	`matched_json` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `signals_message` ON `signals` (`source`,`message_id`);--> statement-breakpoint
CREATE INDEX `signals_risk` ON `signals` (`received_at`) WHERE level is not null and superseded_at is null;--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` text PRIMARY KEY NOT NULL,
	`agent` text NOT NULL,
	`tenant` text NOT NULL,
	`workload` text NOT NULL,
	`issuer` text NOT NULL,
	`proof` text NOT NULL,
	`claims_json` text NOT NULL,
	`token_hash` text NOT NULL,
	`purpose` text NOT NULL,
	`intent_json` text NOT NULL,
	`labels_json` text NOT NULL,
	`state` text NOT NULL,
	`outcome` text,
	`cause` text,
	`parent` text,
	`created_at` integer NOT NULL,
	`deadline` integer NOT NULL,
	`heartbeat_seconds` integer,
	`heartbeat_due_at` integer,
	`last_heartbeat_at` integer,
	`ended_at` integer,
	`touched_json` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tasks_token` ON `tasks` (`token_hash`);--> statement-breakpoint
CREATE INDEX `tasks_created` ON `tasks` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_deadline` ON `tasks` (`deadline`) WHERE state = 'open';--> statement-breakpoint
CREATE INDEX `tasks_heartbeat` ON `tasks` (`heartbeat_due_at`) WHERE state = 'open' and heartbeat_due_at is not null;--> statement-breakpoint
CREATE INDEX `tasks_agent` ON `tasks` (`agent`,`state`);--> statement-breakpoint
CREATE INDEX `tasks_tenant` ON `tasks` (`tenant`,`state`);--> statement-breakpoint
CREATE INDEX `tasks_parent` ON `tasks` (`parent`) WHERE parent is not null;