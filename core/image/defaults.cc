#include "core/image/defaults.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/ids.h"
#include "core/image/layer_tree.h"

namespace berth::image {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;

// Docker's defaults.
constexpr nanoseconds kInterval = 30s, kTimeout = 30s, kAtStart = 5s;
constexpr int kRetries = 3;
constexpr milliseconds kSoonest = 1000ms;  ///< between two checks while it starts
constexpr int kMostFailures = 1000;        ///< of a probe
constexpr milliseconds kLongest = 24h;     ///< of a duration

/// Everything in it stands for itself: a spec's texts have `${NAME}`.
std::string literal_text(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '$' ? "$$" : std::string(1, c);
  return out;
}

std::vector<std::string> literal_texts(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(literal_text(text));
  return out;
}

milliseconds whole(nanoseconds duration) { return std::clamp(std::chrono::ceil<milliseconds>(duration), 1ms, kLongest); }

void add_variables(ImageDefaults& out, const std::vector<std::string>& environment) {
  for (const std::string& line : environment) {
    const std::size_t equals = line.find('=');
    const std::string name = line.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : line.substr(equals + 1);
    const bool is_plain = std::ranges::none_of(value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (!is_variable_name(name) || name.size() > 128) {
      out.notes.push_back(fmt::format("the image's variable '{}' has no name that an app could declare, and is left out", name));
    } else if (spec::is_reserved_variable(name)) {
      out.notes.push_back(fmt::format("the image's variable {} is one that berth gives a value of its own", name));
    } else if (!is_plain || value.size() > (32u << 10)) {
      out.notes.push_back(fmt::format("the image's variable {} has line breaks, or is longer than 32 KiB, and is left out; put it into a file", name));
    } else {
      out.defaults.variables[name].preset = value;
    }
  }
}

/// `8080/tcp` → 8080; 0 for what is no TCP port.
int tcp_port(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos && text.substr(slash) != "/tcp") return 0;
  const std::string_view digits = text.substr(0, slash);
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return error == std::errc() && end == digits.data() + digits.size() && port >= 1 && port <= 65535 ? port : 0;
}

/// Who serves the web does so on one of these, in this order; else the lowest is taken for it.
std::uint16_t public_of(const std::set<std::uint16_t>& ports) {
  for (const std::uint16_t usual : {80, 8080})
    if (ports.contains(usual)) return usual;
  return *ports.begin();
}

/// One is public; the others are there for the node, under names.
void add_ports(ImageDefaults& out, const std::vector<std::string>& exposed) {
  std::set<std::uint16_t> ports;
  for (const std::string& text : exposed) {
    if (const int port = tcp_port(text); port != 0) ports.insert(static_cast<std::uint16_t>(port));
    else out.notes.push_back(fmt::format("the image's port '{}' is no TCP port, and is left out", text));
  }
  if (ports.empty()) return;
  spec::Process& process = out.defaults.process;
  process.routing = spec::Routing::port;
  process.public_port = public_of(ports);
  ports.erase(process.public_port);
  out.notes.push_back(fmt::format("port {0} is the public one, as the image says; the program has to listen on $PORT, which is another (with socket = {0} in "
                                  "a berth.toml it is passed a socket)",
                                  process.public_port));
  std::vector<std::string> variables;
  for (const std::uint16_t port : ports) {
    const std::string name = fmt::format("tcp-{}", port);
    if (process.private_ports.size() == spec::kMostPrivatePorts) {
      out.notes.push_back(fmt::format("the image's ports from {} on are left out: a process has {} private ones at most", port, spec::kMostPrivatePorts));
      break;
    }
    process.private_ports.emplace(name, spec::PrivatePort());
    variables.push_back("$" + spec::port_variable(name));
  }
  if (!variables.empty())
    out.notes.push_back(fmt::format("the image's other ports are private: nobody is led to them from outside, and the program has to listen on {}; [process.….ports] in a "
                                    "berth.toml says otherwise",
                                    fmt::join(variables, ", ")));
}

/// How often something may fail that is asked each `period`, until `time` is over.
int failures_in(nanoseconds time, milliseconds period) {
  return static_cast<int>(std::clamp<std::int64_t>(time / period + (time % period != 0ns ? 1 : 0), 1, kMostFailures));
}

/// A container is unhealthy when `retries` checks in a row failed, of which those in the start period do not count. A process is ready after the first
/// good one; it is asked more often until then, since a deployment waits for it.
Result<void> add_probes(ImageDefaults& out, const HealthCheck& health) {
  if (health.test.empty() || health.test.front() == "NONE") return {};
  std::vector<std::string> command;
  if (health.test.front() == "CMD") command.assign(health.test.begin() + 1, health.test.end());
  if (health.test.front() == "CMD-SHELL" && health.test.size() == 2) command = {"/bin/sh", "-c", health.test[1]};
  if (command.empty())
    return fail(Errc::usage, fmt::format("the image's health check is neither CMD with a program nor CMD-SHELL with a line: {}", fmt::join(health.test, " ")));
  const nanoseconds interval = health.interval.value_or(kInterval);
  const int retries = std::clamp(health.retries == 0 ? kRetries : health.retries, 1, kMostFailures);
  const spec::Probe often{.kind = spec::ProbeKind::exec,
                          .command = literal_texts(command),
                          .period = std::max(whole(interval), 10ms),
                          .timeout = whole(health.timeout.value_or(kTimeout)),
                          .failure_threshold = retries};
  spec::Probe first = often;
  const bool has_start = health.start_period.has_value();
  first.period = std::max(std::min(often.period, has_start ? whole(health.start_interval.value_or(kAtStart)) : kSoonest), 10ms);
  first.failure_threshold = failures_in(health.start_period.value_or(0ns) + interval * retries, first.period);
  out.defaults.process.readiness = often;
  out.defaults.process.startup = first;
  return {};
}

Result<void> add_folder(ImageDefaults& out, const std::string& directory) {
  BERTH_TRY(const auto parts, parts_of(directory));
  out.defaults.process.directory = fmt::format("{}", fmt::join(parts, "/"));
  return {};
}

void add_user(ImageDefaults& out, const std::string& user) {
  if (user.empty()) return;
  out.notes.push_back(fmt::format("the image's user '{}' does not count: the app runs as a user of its own, unless `user` in a berth.toml names one of "
                                  "the node",
                                  user));
}

}  // namespace

Result<ImageDefaults> defaults_of(const ImageConfig& config) {
  ImageDefaults out;
  spec::Process& process = out.defaults.process;
  process.root = spec::Root::image;
  process.command = literal_texts(config.entrypoint);
  const auto more = literal_texts(config.command);
  process.command.insert(process.command.end(), more.begin(), more.end());
  add_variables(out, config.environment);
  BERTH_CHECK(add_folder(out, config.directory));
  add_ports(out, config.ports);
  if (!config.stop_signal.empty()) {
    const auto signal = spec::parse_signal(config.stop_signal);
    if (!signal) return fail(Errc::usage, "the image's stop signal: " + signal.error().message);
    process.stop.signal = *signal;
  }
  if (config.health) BERTH_CHECK(add_probes(out, *config.health));
  add_user(out, config.user);
  for (const std::string& volume : config.volumes)
    out.notes.push_back(fmt::format("the image's volume {} cannot be written: what an app keeps belongs into $BERTH_DATA_DIR", volume));
  return out;
}

}  // namespace berth::image
