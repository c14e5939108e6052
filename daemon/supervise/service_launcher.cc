#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include <fmt/core.h>
#include <systemd/sd-bus.h>

#include "daemon/supervise/launcher.h"

namespace berth::supervise {
namespace {

constexpr std::uint64_t kCallWaitUs = 10'000'000;
constexpr int kAttempts = 100;  ///< while the unit of a keeper before it is still being cleaned away
constexpr std::chrono::milliseconds kBetween{100};

using Bus = std::unique_ptr<sd_bus, decltype(&sd_bus_flush_close_unref)>;
using BusMessage = std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)>;

/// The arguments of StartTransientUnit. Negative errno on failure.
int fill(sd_bus_message* m, const KeeperStart& start) {
  const auto name = service_name(start);
  const auto slice = slice_name(start.id.app);
  const auto description = fmt::format("berth: {}", to_string(start.id));
  const auto stop_us = static_cast<std::uint64_t>((start.grace + std::chrono::seconds(10)).count()) * 1000;
  int r = sd_bus_message_append(m, "ss", name.c_str(), "fail");
  if (r >= 0) r = sd_bus_message_open_container(m, 'a', "(sv)");
  if (r >= 0) r = sd_bus_message_append(m, "(sv)", "Description", "s", description.c_str());
  if (r >= 0) r = sd_bus_message_append(m, "(sv)", "Slice", "s", slice.c_str());
  if (r >= 0) r = sd_bus_message_append(m, "(sv)", "Type", "s", "exec");
  if (r >= 0) r = sd_bus_message_append(m, "(sv)", "KillMode", "s", "mixed");
  if (r >= 0) r = sd_bus_message_append(m, "(sv)", "Delegate", "b", 1);
  if (r >= 0) r = sd_bus_message_append(m, "(sv)", "OOMPolicy", "s", "continue");
  if (r >= 0) r = sd_bus_message_append(m, "(sv)", "TimeoutStopUSec", "t", stop_us);
  if (r >= 0) r = sd_bus_message_append(m, "(sv)", "CollectMode", "s", "inactive-or-failed");
  if (r >= 0) {
    r = sd_bus_message_append(m, "(sv)", "ExecStart", "a(sasb)", 1, start.program.c_str(), 4, start.program.c_str(), start.socket.c_str(),
                              start.log_directory.c_str(), "--delegated", 0);
  }
  if (r >= 0) r = sd_bus_message_close_container(m);
  if (r >= 0) r = sd_bus_message_append(m, "a(sa(sv))", 0);
  return r;
}

/// Asks once. `exists`: a unit of that name is there.
Result<void> ask_systemd(sd_bus* bus, const KeeperStart& start, bool* exists) {
  sd_bus_message* raw = nullptr;
  int r = sd_bus_message_new_method_call(bus, &raw, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                         "StartTransientUnit");
  const BusMessage request(raw, &sd_bus_message_unref);
  if (r >= 0) r = fill(raw, start);
  if (r < 0) return fail_errno("describe the service " + service_name(start), -r);
  sd_bus_error error = SD_BUS_ERROR_NULL;
  r = sd_bus_call(bus, raw, kCallWaitUs, &error, nullptr);
  *exists = r < 0 && sd_bus_error_has_name(&error, "org.freedesktop.systemd1.UnitExists");
  const std::string said = error.message != nullptr ? error.message : std::strerror(r < 0 ? -r : 0);
  sd_bus_error_free(&error);
  if (r < 0) return fail(Errc::io, fmt::format("systemd does not start {}: {}", service_name(start), said));
  return {};
}

}  // namespace

std::string service_name(const KeeperStart& start) {
  return fmt::format("berth-{}-{}-{}-{}.service", start.id.app, start.id.process, start.id.number, start.key);
}

Result<void> start_service(const KeeperStart& start) {
  sd_bus* raw = nullptr;
  const int r = sd_bus_open_system(&raw);
  const Bus bus(raw, &sd_bus_flush_close_unref);
  if (r < 0) return fail_errno("connect to systemd over the system bus (is dbus installed?)", -r);
  for (int attempt = 1;; attempt++) {
    bool exists = false;
    auto started = ask_systemd(bus.get(), start, &exists);
    if (started || !exists || attempt == kAttempts) return started;
    std::this_thread::sleep_for(kBetween);
  }
}

}  // namespace berth::supervise
