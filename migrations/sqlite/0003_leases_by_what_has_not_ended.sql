DROP INDEX `leases_live`;--> statement-breakpoint
DROP INDEX `leases_agent`;--> statement-breakpoint
DROP INDEX `leases_tenant`;--> statement-breakpoint
DROP INDEX `leases_entitlement`;--> statement-breakpoint
CREATE INDEX `leases_live` ON `leases` (`provider`) WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX `leases_agent` ON `leases` (`agent`,`ended_at`);--> statement-breakpoint
CREATE INDEX `leases_tenant` ON `leases` (`tenant`,`ended_at`);--> statement-breakpoint
CREATE INDEX `leases_entitlement` ON `leases` (`entitlement`,`ended_at`);