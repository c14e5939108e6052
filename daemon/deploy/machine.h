#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace berth::deploy {

/// Where a deployment is (DESIGN 6); the names are those of the API.
enum class State {
  queued,
  fetching,
  unpacking,
  sealed,
  preparing,
  starting,
  canary,  ///< a few instances of the new release serve beside the old one
  switching,
  baking,
  active,
  failed,
  reverting,
  reverted,
  cancelled,
  superseded,
  interrupted,
};
std::string_view to_string(State state);
std::optional<State> state_named(std::string_view name);

/// Whether nothing follows.
bool is_terminal(State state);

/// What a deployment's way depends on; fixed once its manifest is known.
struct Course {
  bool on_node = false;      ///< its slot is sealed already
  bool stop_first = false;   ///< `recreate` with something to stop: the decision comes before the new instances start
  bool canary = false;       ///< a few of the new instances serve beside the old release before the decision
  bool gradual = false;      ///< instances are replaced a few at a time: while that goes on both releases serve, and neither is whole
  bool has_previous = true;  ///< there is a release to go back to
  bool blamed = true;        ///< what fails says something of the release: what never ran, and what the node itself could not do, does not
};

/// What happens to a deployment.
enum class Happening {
  done,        ///< the work of its state succeeded
  failed,      ///< it did not, or there was trouble in the bake
  cancelled,   ///< somebody asked to stop
  superseded,  ///< a newer request for the app came
  given_up,    ///< berthd died in it too often
  torn,        ///< berthd died in it while instances were replaced
};

/// The work of a transition, to be done in order. What is not in here happens within a state: fetching, starting, waiting.
enum class Effect {
  seal,           ///< staging becomes a slot
  decide,         ///< the database: active = new, previous = old, together with the new state
  drop_new,       ///< stop what was started of the new release, give its ports and staging back
  decide_revert,  ///< the database: active = old
  reject,         ///< the release is not taken again unasked
  tidy,           ///< collect old slots
};

struct Position {
  State state = State::queued;
  bool decided = false;

  bool operator==(const Position&) const = default;
};

struct Transition {
  Position to;
  std::vector<Effect> effects;

  bool operator==(const Transition&) const = default;
};

/// What follows from `from` when something happens. Pure. Absent where it may not happen there: a decided deployment cannot be cancelled.
std::optional<Transition> step(Position from, const Course& course, Happening happening);

}  // namespace berth::deploy
