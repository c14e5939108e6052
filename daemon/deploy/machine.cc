#include "daemon/deploy/machine.h"

#include <algorithm>
#include <array>
#include <utility>

namespace berth::deploy {
namespace {

constexpr std::array<std::pair<State, std::string_view>, 16> kNames{{
    {State::queued, "queued"},
    {State::fetching, "fetching"},
    {State::unpacking, "unpacking"},
    {State::sealed, "sealed"},
    {State::preparing, "preparing"},
    {State::starting, "starting"},
    {State::canary, "canary"},
    {State::switching, "switching"},
    {State::baking, "baking"},
    {State::active, "active"},
    {State::failed, "failed"},
    {State::reverting, "reverting"},
    {State::reverted, "reverted"},
    {State::cancelled, "cancelled"},
    {State::superseded, "superseded"},
    {State::interrupted, "interrupted"},
}};

std::optional<Transition> done(Position from, const Course& course) {
  const auto to = [&](State state) { return Transition{{state, from.decided}, {}}; };
  switch (from.state) {
    case State::queued: return to(course.on_node ? State::sealed : State::fetching);
    case State::fetching: return to(State::unpacking);
    case State::unpacking: return Transition{{State::sealed, false}, {Effect::seal}};
    case State::sealed: return to(State::preparing);
    case State::preparing:
      if (course.stop_first) return Transition{{State::switching, true}, {Effect::decide}};
      return to(State::starting);
    case State::starting:
      if (course.stop_first) return to(State::baking);
      if (course.canary) return to(State::canary);
      return Transition{{State::switching, true}, {Effect::decide}};
    case State::canary: return Transition{{State::switching, true}, {Effect::decide}};
    case State::switching: return to(course.stop_first ? State::starting : State::baking);
    case State::baking: return Transition{{State::active, true}, {Effect::tidy}};
    case State::reverting: return Transition{{State::reverted, true}, {Effect::tidy}};
    default: return std::nullopt;
  }
}

/// Only what runs the release can tell that the release is bad; what comes before says nothing of it.
bool was_tried(State state) {
  return state == State::starting || state == State::canary || state == State::switching || state == State::baking;
}

std::optional<Transition> failed(Position from, const Course& course) {
  // There is nowhere else to go: the release before is gone or damaged.
  if (from.state == State::reverting) return Transition{{State::failed, true}, {}};
  std::vector<Effect> effects;
  if (!from.decided) effects.push_back(Effect::drop_new);
  if (was_tried(from.state) && course.blamed) effects.push_back(Effect::reject);
  if (!from.decided) return Transition{{State::failed, false}, std::move(effects)};
  if (course.has_previous) return Transition{{State::reverting, true}, std::move(effects)};
  effects.insert(effects.end(), {Effect::decide_revert, Effect::drop_new});
  return Transition{{State::failed, true}, std::move(effects)};
}

}  // namespace

std::string_view to_string(State state) {
  return std::ranges::find(kNames, state, &std::pair<State, std::string_view>::first)->second;
}

std::optional<State> state_named(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, &std::pair<State, std::string_view>::second);
  if (found == kNames.end()) return std::nullopt;
  return found->first;
}

bool is_terminal(State state) {
  switch (state) {
    case State::active:
    case State::failed:
    case State::reverted:
    case State::cancelled:
    case State::superseded:
    case State::interrupted: return true;
    default: return false;
  }
}

std::optional<Transition> step(Position from, const Course& course, Happening happening) {
  if (is_terminal(from.state)) return std::nullopt;
  switch (happening) {
    case Happening::done: return done(from, course);
    case Happening::failed: return failed(from, course);
    case Happening::cancelled:
      if (from.decided) return std::nullopt;
      return Transition{{State::cancelled, false}, {Effect::drop_new}};
    case Happening::superseded:
      // One that waits gives its place up; one that bakes serves already, and is followed by the newer one.
      if (from.state == State::queued) return Transition{{State::superseded, false}, {}};
      // One whose switch is postponed has changed nothing yet that serves.
      if (!from.decided && (from.state == State::preparing || from.state == State::starting)) return Transition{{State::superseded, false}, {Effect::drop_new}};
      // The release before serves beside the canary still, and whole.
      if (from.state == State::canary) return Transition{{State::superseded, false}, {Effect::drop_new}};
      if (from.state == State::baking) return Transition{{State::superseded, true}, {}};
      return std::nullopt;
    case Happening::given_up:
      if (from.decided) return std::nullopt;
      return Transition{{State::interrupted, false}, {Effect::drop_new}};
    case Happening::torn:
      // Which instances are of which release is an accident then. It says nothing of the release, which is not rejected.
      if (!course.gradual || from != Position{State::switching, true}) return std::nullopt;
      return Transition{{State::reverting, true}, {}};
  }
  return std::nullopt;
}

}  // namespace berth::deploy
