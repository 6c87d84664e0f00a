//! Test equipment: manual clock, scripted model, effect-counting server, wire fixtures.
