//! The difference to what stock skiboot hands to Linux.
