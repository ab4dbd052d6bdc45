//! What is deployed with: every file of compose/ and every command of the deployment guide, held against the program, and the logs,
//! traces and metrics that operators watch it by. What the program does with media is tested elsewhere.

mod compose;
mod fabric;
mod files;
mod guide;
mod logs;
mod metrics;
mod secrets;
mod systemd;
mod traces;
