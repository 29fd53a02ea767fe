CREATE TABLE `impact_acts` (
	`agent` text NOT NULL,
	`decision` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `impact_acts_agent` ON `impact_acts` (`agent`,`at`);