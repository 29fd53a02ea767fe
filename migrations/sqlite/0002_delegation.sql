CREATE TABLE `delegations` (
	`id` text PRIMARY KEY NOT NULL,
	`task` text NOT NULL,
	`agent` text NOT NULL,
	`tenant` text NOT NULL,
	`token_hash` text NOT NULL,
	`purpose` text,
	`intent_json` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`deadline` integer NOT NULL,
	`used_at` integer,
	`child` text,
	`decision` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `delegations_token` ON `delegations` (`token_hash`);--> statement-breakpoint
CREATE INDEX `delegations_task` ON `delegations` (`task`,`expires_at`);--> statement-breakpoint
ALTER TABLE `decisions` ADD `chain_json` text;--> statement-breakpoint
ALTER TABLE `leases` ADD `chain_json` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `depth` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `chain_json` text;