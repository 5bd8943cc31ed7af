//! The suite on a runtime that takes and gives crumbs.

use conformance::Stingy;

conformance::suite!(Stingy);
