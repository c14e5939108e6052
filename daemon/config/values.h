#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.h"
#include "daemon/config/config.h"

namespace berth::config {

/// The readers of single values. Each fails with `Errc::usage` and what would be right, without the place, which the caller knows.

/// "127.0.0.1:9464", "[::1]:9464".
Result<Listen> parse_listen(std::string_view text);
std::string to_string(const Listen& listen);
/// Whether nobody but this machine reaches it.
bool is_loopback(const Listen& listen);

/// "256MB", "1GiB", "4096B": kB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB of 1024.
Result<std::uint64_t> parse_size(std::string_view text);

/// "90s", "10m", "24h", "7d", "1h30m": a second at least, a year at most.
Result<std::chrono::milliseconds> parse_period(std::string_view text);

/// The same for what is done again and again over the network: from a second to a day.
Result<std::chrono::milliseconds> parse_interval(std::string_view text);

/// "02:00-05:00" of each day, "Sat,Sun 22:00-04:00", "Mon-Fri 01:30-03:00": a quarter of an hour at least. "24:00" is the end of a day.
Result<Window> parse_window(std::string_view text);

/// An absolute path without `.` and `..`; a trailing slash is taken off. At most `longest` bytes.
Result<std::filesystem::path> parse_path(std::string_view text, std::size_t longest = 4000);

/// http://, https:// or file:// with an absolute path; a trailing slash is taken off. It is shown in status and logs, so that one with a password is refused.
Result<std::string> parse_url(std::string_view text);

/// A reference to a secret of the node's own: `file:/path`, `credential:NAME`, `env:NAME` or `command:/program argument …`.
Result<std::string> parse_reference(std::string_view text);

/// http://host:port of a proxy; empty: none. A password in it would stand in this file: it belongs into the environment.
Result<std::string> parse_proxy(std::string_view text);

Result<LogLevel> parse_level(std::string_view text);

/// What a node may be called: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, as hosts are.
bool is_node_name(std::string_view text);
/// `[A-Za-z_][A-Za-z0-9_-]{0,31}`: Unix groups.
bool is_group_name(std::string_view text);
/// `[A-Za-z0-9_-]{1,63}`: what can stand in `${node.labels.…}`.
bool is_label(std::string_view text);

/// The room that a path of the run folder leaves: a keeper's socket below it must fit 108 bytes.
inline constexpr std::size_t kLongestRunPath = 107 - std::string_view("/instances/0123456789abcdef/run/notify").size();

}  // namespace berth::config
