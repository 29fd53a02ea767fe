DROP INDEX `leases_group`;--> statement-breakpoint
CREATE INDEX `leases_group_live` ON `leases` (`group_key`,`tenant`,`agent`) WHERE group_key is not null and state in ('reserved', 'active');--> statement-breakpoint
CREATE INDEX `leases_group` ON `leases` (`group_key`,`latest_possible_expiry`,`tenant`,`agent`) WHERE group_key is not null and containment is not null;