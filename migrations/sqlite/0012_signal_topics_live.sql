DROP INDEX `signals_topic`;--> statement-breakpoint
CREATE INDEX `signals_topic` ON `signals` (`source`,`subject_json`,`topic`,`event_at`) WHERE level is not null;