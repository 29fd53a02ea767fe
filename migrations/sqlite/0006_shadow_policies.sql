CREATE TABLE `shadow_differences` (
	`decision` text PRIMARY KEY NOT NULL,
	`outcome` text NOT NULL,
	`policies_json` text NOT NULL,
	`reasons_json` text NOT NULL,
	`policy_hash` text NOT NULL
);
