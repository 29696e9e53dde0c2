//! What Linux needs: properties with their values, by machine (`reference/linux-opal-contract.md` §3).
