CREATE TABLE `pins` (
	`instance` text PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `pins_expiry` ON `pins` (`expires_at`);--> statement-breakpoint
ALTER TABLE `tasks` ADD `key` text;