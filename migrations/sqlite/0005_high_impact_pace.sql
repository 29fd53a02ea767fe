ALTER TABLE `leases` ADD `impact_json` text;--> statement-breakpoint
CREATE INDEX `leases_high_impact` ON `leases` (`agent`,`created_at`) WHERE impact_json is not null;