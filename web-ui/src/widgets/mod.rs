//! The parts that all pages are made of; each exists once.

pub mod announce;
pub mod confirm;
pub mod copy;
pub mod data_table;
pub mod dialog;
pub mod diff_view;
pub mod discovery_card;
pub mod empty;
pub mod hop_ladder;
pub mod icon;
pub mod job_progress;
pub mod live_picture;
pub mod page;
pub mod problems;
pub mod schema_form;
pub mod secret;
pub mod sparkline;
pub mod status;
pub mod time;
pub mod toast;
pub mod tree;
pub mod value;
