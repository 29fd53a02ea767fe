CREATE TABLE `impact_in_name` (
	`agent` text NOT NULL,
	`lease` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `impact_in_name_agent` ON `impact_in_name` (`agent`,`at`);