CREATE TABLE `policy_sets` (
	`hash` text PRIMARY KEY NOT NULL,
	`in_force_since` integer NOT NULL,
	`policies_json` text NOT NULL
);
