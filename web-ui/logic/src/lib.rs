//! The console without a browser: everything that can be decided from data alone, so that it is tested natively.
//!
//! | module | decides |
//! |---|---|
//! | [`place`] | which page a URL is, and the URL of a page |
//! | [`schema`] | which fields a JSON Schema asks for |
//! | [`form`] | how a field changes the settings, and at which field a problem stands |
//! | [`table`] | which rows of a table are shown, and in which order |
//! | [`words`] | how numbers, sizes, spans and ages read |
//! | [`tree`] | which rows of a tree are seen, where a key leads, what is chosen |
//! | [`basket`] | the rules of a selection as the tree's patterns, and back |
//! | [`import`] | what a selection's file would change, in lines and words |
//! | [`command`] | what a person types for a device, by its data type |
//! | [`alarm`] | how an alarm's state reads |
//! | [`radio`] | how what a radio hears reads |
//! | [`pace`] | how far a job is, and how long it still takes |
//! | [`spark`], [`diff`] | the lines of a small chart, the kinds of lines of a diff |

pub mod alarm;
pub mod basket;
pub mod command;
pub mod diff;
pub mod form;
pub mod import;
pub mod pace;
pub mod place;
pub mod playing;
pub mod radio;
pub mod schema;
pub mod spark;
pub mod table;
pub mod tree;
pub mod words;
