ALTER TABLE `signals` ADD `topic` text;--> statement-breakpoint
ALTER TABLE `signals` ADD `event_at` integer;--> statement-breakpoint
ALTER TABLE `signals` ADD `about_json` text;--> statement-breakpoint
CREATE INDEX `signals_topic` ON `signals` (`source`,`subject_json`,`topic`,`event_at`) WHERE event_at is not null and level is not null;