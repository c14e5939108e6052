#include <chrono>
#include <thread>

#include <fmt/core.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "daemon/store/accepted_troubles.h"
#include "daemon/store/store.h"

namespace berth::cli::doctor {
namespace {

constexpr std::chrono::milliseconds kLine{300};

}  // namespace

Findings check_events(const Subject& subject) {
  const fs::path log = subject.paths.events(), database = subject.paths.database();
  std::error_code missing;
  const bool has_database = fs::exists(database, missing), has_log = fs::exists(log, missing);
  if (!has_database && !has_log) return {{Level::ok, "events", "there are none yet"}};
  if (has_log && ::access(log.c_str(), R_OK) != 0)
    return {{Level::warning, "events", fail_errno(log.string()).error().message, "it was not looked at", "run berth doctor as root"}};
  auto troubles = store::verify_events(log, has_database ? database : fs::path());
  // A database that cannot be read is another finding; the log's own chain still tells something.
  if (!troubles && has_database && has_log) troubles = store::verify_events(log, {});
  if (troubles && !troubles->empty() && subject.status) {  // berthd may have been in the middle of a line
    std::this_thread::sleep_for(kLine);
    if (auto again = store::verify_events(log, has_database ? database : fs::path())) troubles = std::move(again);
  }
  if (!troubles) return {{Level::error, "events", troubles.error().message, "the history of this node cannot be read", "stop berthd, keep the file, and put a backup in its place"}};
  const std::set<std::string> accepted = store::accepted_troubles(log);
  const bool any = !troubles->empty();
  std::erase_if(*troubles, [&accepted](const std::string& one) { return accepted.contains(one); });
  if (troubles->empty() && any)
    return {{Level::warning, "events", fmt::format("{} is not as berthd wrote it, as somebody knows who has looked at it", log.string()),
             "somebody changed the history of this node, or a crash tore it", "nothing, where what 'berth events --verify' names is known"}};
  if (troubles->empty()) return {{Level::ok, "events", fmt::format("{} is one chain", log.string())}};
  return {{Level::error, "events", fmt::format("{}: {}{}", log.string(), troubles->front(), troubles->size() > 1 ? fmt::format(" (and {} more)", troubles->size() - 1) : ""),
           "somebody changed the history of this node, or a crash tore it", "berth events --verify names all of it; a last line that was torn is written again by the next start of berthd; keep the rest for whoever looks into it, and say so by berth events --verify --accept"}};
}

}  // namespace berth::cli::doctor
