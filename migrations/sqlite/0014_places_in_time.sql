DROP INDEX `audit_lease_alone`;--> statement-breakpoint
DROP INDEX `audit_task`;--> statement-breakpoint
CREATE INDEX `audit_lease` ON `audit` (`lease`) WHERE lease is not null;--> statement-breakpoint
CREATE INDEX `audit_task_alone` ON `audit` (`task`) WHERE task is not null and lease is null;--> statement-breakpoint
DROP INDEX `leases_agent`;--> statement-breakpoint
CREATE INDEX `leases_agent` ON `leases` (`agent`) WHERE ended_at is null;--> statement-breakpoint
DROP INDEX `tasks_token`;--> statement-breakpoint
DROP INDEX `tasks_agent`;--> statement-breakpoint
CREATE INDEX `tasks_agent_open` ON `tasks` (`agent`) WHERE state = 'open';--> statement-breakpoint
CREATE UNIQUE INDEX `tasks_token` ON `tasks` (`token_hash`) WHERE state = 'open';--> statement-breakpoint
CREATE INDEX `tasks_agent` ON `tasks` (`agent`,`created_at`);