CREATE INDEX `leases_created` ON `leases` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_created` ON `tasks` (`created_at`,`id`);