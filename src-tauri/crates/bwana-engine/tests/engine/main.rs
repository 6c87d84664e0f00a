//! The engine on a real store, with a scripted model and tools that count what they do.

mod fixture;
mod life;
mod people;
