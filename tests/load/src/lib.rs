//! A load generator and prober for servers that take WHIP and give RTSP, whoever made them: publishers of a clip whose pictures
//! are stamped as they leave, and readers that tell when each has come. What a figure should be is for the reader to know.

pub mod cli;
pub mod clip;
pub mod count;
mod http;
mod ogg;
pub mod progress;
pub mod publish;
pub mod read;
pub mod report;
pub mod run;
pub mod sample;
pub mod stamp;
pub mod template;
