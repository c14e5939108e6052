#include "daemon/host/service_manager.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string_view>

#include <fmt/core.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>

namespace berth::host {
namespace {

constexpr std::uint64_t kBusWaitUs = 5'000'000;
constexpr std::uint64_t kBarrierWaitUs = 5'000'000;

/// What is before the names of sockets that berthd had kept, and in no socket unit's FileDescriptorName=.
constexpr std::string_view kKept = "berthd-kept-";

/// STATUS= takes one line.
std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

/// Whether this process is in a service of the system's manager. The environment does not tell: whatever a service starts inherits it.
bool in_service() {
  char* raw = nullptr;
  if (::sd_pid_get_unit(0, &raw) < 0) return false;
  const std::unique_ptr<char, decltype(&::free)> unit(raw, &::free);
  char* of_user = nullptr;
  const bool user = ::sd_pid_get_user_unit(0, &of_user) >= 0;
  ::free(of_user);
  return !user && std::string_view(unit.get()).ends_with(".service");
}

std::vector<PassedSocket> passed_by_environment() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  std::vector<PassedSocket> passed;
  for (int i = 0; i < count; ++i) {
    passed.push_back({.name = names[i], .socket = Fd(SD_LISTEN_FDS_START + i)});
    ::free(names[i]);
  }
  ::free(names);
  return passed;
}

bool bus_answers() {
  sd_bus* raw = nullptr;
  const int opened = ::sd_bus_open_system(&raw);
  const std::unique_ptr<sd_bus, decltype(&::sd_bus_flush_close_unref)> bus(raw, &::sd_bus_flush_close_unref);
  if (opened < 0) return false;
  ::sd_bus_set_method_call_timeout(bus.get(), kBusWaitUs);
  return ::sd_bus_call_method(bus.get(), "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.DBus.Peer", "Ping", nullptr, nullptr,
                              "") >= 0;
}

}  // namespace

ServiceManager::ServiceManager() : ServiceManager(passed_by_environment()) {}

ServiceManager::ServiceManager(std::vector<PassedSocket> passed) {
  for (PassedSocket& one : passed) {
    if (::sd_is_socket(one.socket.get(), AF_UNSPEC, SOCK_STREAM, 1) <= 0) continue;
    if (one.name.starts_with(kKept)) kept_.push_back({.name = one.name.substr(kKept.size()), .socket = std::move(one.socket)});
    else sockets_.push_back(std::move(one.socket));
  }
  std::uint64_t period = 0;
  if (::sd_watchdog_enabled(1, &period) > 0 && period > 0)
    watchdog_period_ = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds(period / 2));
}

bool ServiceManager::listens() { return ::getenv("NOTIFY_SOCKET") != nullptr; }

void ServiceManager::keep(const std::string& name, int socket) const {
  ::sd_pid_notify_with_fds(0, 0, fmt::format("FDSTORE=1\nFDNAME={}{}", kKept, name).c_str(), &socket, 1);
}

Fd ServiceManager::take_kept(const std::string& name, const std::function<bool(int)>& fits) {
  Fd taken;
  bool are_others = false;
  for (PassedSocket& one : kept_) {
    if (one.name != name) continue;
    if (!taken && fits(one.socket.get())) taken = std::move(one.socket);
    else are_others = true;
  }
  std::erase_if(kept_, [&](const PassedSocket& one) { return one.name == name; });
  if (!are_others) return taken;
  stop_keeping(name);  // all of that name
  if (taken) keep(name, taken.get());
  return taken;
}

void ServiceManager::drop_kept() {
  const auto left = std::move(kept_);
  kept_.clear();
  for (const PassedSocket& one : left) stop_keeping(one.name);
}

void ServiceManager::stop_keeping(const std::string& name) const {
  ::sd_notify(0, fmt::format("FDSTOREREMOVE=1\nFDNAME={}{}", kKept, name).c_str());
  ::sd_notify_barrier(0, kBarrierWaitUs);
}

void ServiceManager::ready(const std::string& status) const { ::sd_notify(0, fmt::format("READY=1\nSTATUS={}", one_line(status)).c_str()); }

void ServiceManager::status(const std::string& text) const { ::sd_notify(0, ("STATUS=" + one_line(text)).c_str()); }

void ServiceManager::alive() const { ::sd_notify(0, "WATCHDOG=1"); }

void ServiceManager::still_starting(std::chrono::milliseconds more) const {
  ::sd_notify(0, fmt::format("EXTEND_TIMEOUT_USEC={}", std::chrono::microseconds(more).count()).c_str());
}

void ServiceManager::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  ::sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000).c_str());
}

void ServiceManager::stopping() const { ::sd_notify(0, "STOPPING=1\nSTATUS=Leaving; apps go on"); }

bool ServiceManager::runs_us() { return ::sd_booted() > 0 && in_service() && bus_answers(); }

}  // namespace berth::host
