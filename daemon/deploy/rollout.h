#pragma once

#include "core/spec/deploy.h"

namespace berth::deploy {

/// How far the instances of one process are replaced by those of another release.
struct Replacing {
  int wanted = 0;                 ///< instances it is to have in the end
  int surge = 0;                  ///< how many more than that may run meanwhile
  int unavailable = 0;            ///< how many fewer than that may serve meanwhile
  int old_all = 0, old_ready = 0;       ///< instances of the release that goes: those there are, those that serve
  int new_all = 0, new_serving = 0;     ///< of the one that comes

  bool done() const { return old_all == 0 && new_all == wanted && new_serving >= wanted; }
};

/// What may be done next; nothing where something has to become ready first.
struct Step {
  int start = 0;         ///< instances of the new release
  int stop_unready = 0;  ///< of the old one, among those that do not serve
  int stop_ready = 0;    ///< of the old one, among those that do

  bool operator==(const Step&) const = default;
};

/// Kubernetes' rule of rolling updates: never more than `wanted + surge` instances, never fewer than `wanted - unavailable` that serve. Pure.
Step next_step(const Replacing& now);

/// `now` with the limits that the spec gives for `now.wanted` instances: a fraction of an instance more, none fewer; and where that leaves nothing to move
/// with, one may be missing.
Replacing with_limits(Replacing now, const spec::Deploy& rules);

}  // namespace berth::deploy
