"""From a configuration to a finished run folder: what the scripts call, and the only place that knows every room."""
