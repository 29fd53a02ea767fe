DROP INDEX `audit_lease`;--> statement-breakpoint
CREATE INDEX `audit_lease_alone` ON `audit` (`lease`) WHERE lease is not null and task is null;--> statement-breakpoint
DROP INDEX `leases_upstream_name`;