#include "daemon/host/programs.h"

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

namespace berth::host {

Programs find_programs(const fs::path& self, const fs::path& libexec) {
  const fs::path folder = self.parent_path();
  const Programs built{folder / "keeper" / "berth-keeper", folder / "unpack" / "berth-unpack"};
  std::error_code ignored;
  if (folder.filename() == "daemon" && fs::exists(built.keeper, ignored)) return built;
  const fs::path near = folder.parent_path() / "libexec" / "berth";
  if (fs::exists(near / "berth-keeper", ignored)) return {near / "berth-keeper", near / "berth-unpack"};
  return {libexec / "berth-keeper", libexec / "berth-unpack"};
}

fs::path find_config(const fs::path& self, const fs::path& built_for) {
  const fs::path prefix = self.parent_path().parent_path();
  const fs::path near = (prefix == "/usr" ? fs::path("/etc") : prefix / "etc") / "berth" / "berthd.toml";
  std::error_code ignored;
  return fs::exists(near, ignored) ? near : built_for;
}

fs::path find_config_of_client(const fs::path& self, const fs::path& bin, const fs::path& built_for) {
  return find_config(self, self.parent_path() == bin ? built_for : fs::path("/etc/berth/berthd.toml"));
}

Result<void> check_programs(const Programs& programs) {
  const std::pair<const char*, const fs::path*> all[] = {{"--keeper", &programs.keeper}, {"--unpack", &programs.unpack}};
  for (const auto& [option, program] : all)
    if (::access(program->c_str(), X_OK) != 0)
      return fail(Errc::usage, fmt::format("{} is not there or cannot be executed: install berth whole, or say with {} where it is", program->string(), option));
  return {};
}

WorkerUser worker_user(const char* name) {
  WorkerUser user;
  if (const passwd* record = ::getpwnam(name)) user = {.uid = record->pw_uid, .gid = record->pw_gid, .is_nobody = false};
  return user;
}

std::string complaint_of(const WorkerUser& user) {
  if (!user.is_nobody) return {};
  return fmt::format("there is no user '{}': what unpacks releases runs as nobody, and so as whatever else does: {}", kWorkerUser, kMakeWorkerUser);
}

}  // namespace berth::host
