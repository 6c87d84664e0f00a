//! Tests of the store on real files, one program so that it is linked once.

mod append;
mod common;
