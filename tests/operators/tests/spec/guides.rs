//! The commands of docs/guides/migrate-from-mediamtx.md and troubleshoot.md, run as they are written.
