//! Changes of the configuration under load: only the sessions that a change touches end.
//! How files and settings are merged is tested beside the crates.
