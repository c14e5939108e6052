#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/logs/record_time.h"
#include "core/result.h"

namespace berth::deploy {

/// How much of an app's output a deployment keeps.
struct LastLinesLimits {
  std::size_t lines = 20;
  std::size_t bytes = 4096;      ///< of them all
  std::size_t line_bytes = 1024;  ///< a longer line is cut, and ends in "…"
};

/// Takes what nobody else may see out of a text.
using Redact = std::function<void(std::string&)>;

/// What the instances that `what` names printed last, at `since` or later, on stdout and stderr; the newest line at the end. Lines of several instances are
/// in the order of time, each beginning with its instance ("web.2: …"). They are UTF-8. An app without logs has printed nothing. Blocking: reads the tail of
/// each log only. While two releases run at once both write the same logs: `release` gives the lines of one; empty: of all.
/// They are kept, shown elsewhere and backed up: `redact` takes secrets out of each before it is cut; where it is unset they are as they were printed.
Result<std::vector<std::string>> last_lines(const std::filesystem::path& logs, const InstanceSelector& what, logs::Time since, const std::string& release, const Redact& redact,
                                            const LastLinesLimits& limits = {});

/// A line, and when it was printed.
struct PrintedLine {
  std::string at;  ///< RFC 3339, UTC
  std::string text;

  bool operator==(const PrintedLine&) const = default;
};

/// The same, each with its moment.
Result<std::vector<PrintedLine>> printed_last(const std::filesystem::path& logs, const InstanceSelector& what, logs::Time since, const std::string& release, const Redact& redact,
                                              const LastLinesLimits& limits = {});

/// The first of `instances` that the reason names, as "web/web.1": whose lines tell more of it than another's. Pure.
std::optional<InstanceId> named_in(const std::string& reason, const std::vector<InstanceId>& instances);

/// Whether one of the lines tells that a port could not be had since somebody listens there, in the words of common runtimes.
bool tells_port_taken(const std::vector<std::string>& lines);

}  // namespace berth::deploy
