#include "daemon/deploy/confinement.h"

#include <algorithm>

namespace berth::deploy {
namespace {

using ConfinementKind = keeper::Confinement::Kind;
using System = spec::Sandbox::System;
using Home = spec::Sandbox::Home;

void add_system(System protect, std::vector<keeper::Confinement>& all) {
  if (protect == System::strict) {
    all.push_back({.kind = ConfinementKind::read_only, .path = "/"});
    for (const char* kernels : {"/dev", "/proc", "/sys"}) all.push_back({.kind = ConfinementKind::writable, .path = kernels});
    return;
  }
  if (protect == System::no) return;
  all.push_back({.kind = ConfinementKind::read_only, .path = "/usr"});
  for (const char* loader : {"/boot", "/efi"}) all.push_back({.kind = ConfinementKind::read_only, .path = loader, .optional = true});
  if (protect == System::full) all.push_back({.kind = ConfinementKind::read_only, .path = "/etc"});
}

void add_homes(Home protect, std::vector<keeper::Confinement>& all) {
  if (protect == Home::no) return;
  const ConfinementKind kind = protect == Home::yes ? ConfinementKind::hidden : protect == Home::read_only ? ConfinementKind::read_only : ConfinementKind::empty;
  for (const char* homes : {"/home", "/root", "/run/user"}) all.push_back({.kind = kind, .path = homes, .optional = true});
}

/// What programs need of /dev, and none of the machine's devices, as systemd has it.
void add_devices(std::vector<keeper::Confinement>& all) {
  all.push_back({.kind = ConfinementKind::devices, .path = "/dev"});
  for (const char* device : {"null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "mqueue", "hugepages", "log"})
    all.push_back({.kind = ConfinementKind::writable, .path = std::string("/dev/") + device, .optional = true});
}

void add_paths(const std::vector<std::string>& paths, ConfinementKind kind, std::vector<keeper::Confinement>& all) {
  for (const std::string& path : paths) {
    const bool optional = path.starts_with('-');
    all.push_back({.kind = kind, .path = path.substr(optional ? 1 : 0), .optional = optional});
  }
}

/// How many folders above it there are.
std::ptrdiff_t depth(const keeper::Confinement& one) { return one.path == "/" ? 0 : std::ranges::count(one.path, '/'); }

}  // namespace

std::vector<keeper::Confinement> confinement_of(const spec::Sandbox& sandbox, const std::vector<std::string>& writable,
                                                const std::vector<std::string>& readable) {
  if (!sandbox.of_paths()) return {};
  std::vector<keeper::Confinement> all;
  add_system(sandbox.protect_system, all);
  add_homes(sandbox.protect_home, all);
  if (sandbox.private_tmp)
    for (const char* tmp : {"/tmp", "/var/tmp"}) all.push_back({.kind = ConfinementKind::memory, .path = tmp, .optional = true});
  if (sandbox.private_devices) add_devices(all);
  // Wherever these lie: without them nothing of the app would run.
  for (const std::string& path : readable) all.push_back({.kind = ConfinementKind::read_only, .path = path, .optional = true});
  for (const std::string& path : writable) all.push_back({.kind = ConfinementKind::writable, .path = path, .optional = true});
  add_paths(sandbox.read_write_paths, ConfinementKind::writable, all);
  add_paths(sandbox.read_only_paths, ConfinementKind::read_only, all);
  add_paths(sandbox.inaccessible_paths, ConfinementKind::hidden, all);
  // Of two that name the same path the later one counts: of what the spec names, the stricter.
  std::vector<keeper::Confinement> once;
  for (keeper::Confinement& one : all) {
    std::erase_if(once, [&one](const keeper::Confinement& other) { return other.path == one.path; });
    once.push_back(std::move(one));
  }
  std::ranges::stable_sort(once, {}, depth);
  return once;
}

}  // namespace berth::deploy
