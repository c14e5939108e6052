#include <algorithm>

#include <fmt/core.h>

#include "core/exit_code.h"
#include "run/runner.h"

// What was started last is stopped first: a process when nothing is left of those that come after it.

namespace berth::run {
namespace {

constexpr const char* kPreStop = "pre-stop";

/// Those of `left` that no other of them comes after.
std::vector<std::string> last_ones(const spec::AppSpec& spec, const std::set<std::string>& left) {
  std::vector<std::string> last;
  for (const std::string& name : left) {
    const auto comes_after = [&](const std::string& other) {
      const auto process = spec.processes.find(other);
      return process != spec.processes.end() && std::ranges::find(process->second.after, name) != process->second.after.end();
    };
    if (std::ranges::none_of(left, comes_after)) last.push_back(name);
  }
  return last.empty() ? std::vector<std::string>(left.begin(), left.end()) : last;
}

}  // namespace

awaitable<void> Runner::bring_down() {
  using namespace std::chrono_literals;
  say(Word::Kind::stopping, {}, "stopping");
  const bool any = !supervisor_.all().empty();
  if (any && up_ && !exit_ && stops_ < 2) {
    const std::string pre_stop = kPreStop;
    const auto ran = co_await run_hook(pre_stop);
    if (!ran && stops_ < 2) say(Word::Kind::failed, {}, ran.error().message + "; it is stopped all the same");
  }
  std::set<std::string> left;
  for (const auto& status : supervisor_.all()) left.insert(status.id.process);
  while (!left.empty()) {
    const auto running = std::make_shared<int>(0);
    for (const std::string& name : last_ones(release_.manifest.spec, left)) {
      left.erase(name);
      ++*running;
      loop_.spawn("stop", stop_process(name, running));
    }
    while (*running > 0) co_await changed_.wait(24h);
  }
}

awaitable<void> Runner::stop_process(std::string name, std::shared_ptr<int> running) {
  for (const auto& status : supervisor_.all()) {
    if (status.id.process != name) continue;
    ++*running;
    loop_.spawn("stop", stop_instance(status.id, running));
  }
  --*running;
  changed_.notify();
  co_return;
}

awaitable<void> Runner::stop_instance(InstanceId id, std::shared_ptr<int> running) {
  if (stops_ > 1) supervisor_.hurry(id);
  const auto stopped = co_await supervisor_.stop(id);
  if (!stopped) fail_with(static_cast<int>(exit_code(stopped.error().code)), fmt::format("{}.{}: {}", id.process, id.number, stopped.error().message));
  --*running;
  changed_.notify();
}

}  // namespace berth::run
