#include <fmt/core.h>

#include "core/spec/rules.h"
#include "core/spec/words.h"

namespace berth::spec {
namespace {

constexpr milliseconds kShortestTimeout{1}, kShortestRetry{1'000};
constexpr std::uint64_t kMostCopied = 1'000'000'000'000;

void check_hook(const AppSpec& spec, const std::string& name, const Hook& hook, const Complaints& all) {
  if (!is_hook_name(name)) return all.add(name, "is no hook");
  const Complaints complaints = all.below(name);
  if (check_command(hook.command, complaints, "command")) {
    const auto known = known_variables(spec, Process());  // it has no port
    for (const std::string& argument : hook.command) check_references(argument, spec, known, complaints);
  }
  if (hook.timeout < kShortestTimeout) complaints.add("timeout", "must be 1ms or more");
  if (name != kReadyToSwitch) return;
  if (hook.retry < kShortestRetry) complaints.add("retry", "must be 1s or more");
  if (hook.give_up < hook.retry) complaints.add("give_up", "must be as long as 'retry' at least, or it is asked only once");
}

}  // namespace

void check_hooks(const AppSpec& spec, const Complaints& complaints) {
  for (const auto& [name, hook] : spec.hooks) check_hook(spec, name, hook, complaints);
}

void check_data(const AppSpec& spec, const Complaints& complaints) {
  if (!spec.data.snapshot) return;
  if (spec.strategy() != Strategy::recreate)
    complaints.add("snapshot",
                   "needs strategy = \"recreate\" in [deploy]: where two releases run at once both write the data, and there is no moment at which a "
                   "copy of them would be whole");
  if (spec.data.max_bytes > kMostCopied) complaints.below("snapshot").add("max_bytes", "must be at most 1000GB");
}

}  // namespace berth::spec
