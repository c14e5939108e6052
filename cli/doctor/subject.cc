#include "cli/doctor/subject.h"

#include <any>

#include "cli/api_client.h"
#include "cli/json_view.h"
#include "core/trust/time.h"
#include "daemon/config/section.h"
#include "daemon/config/sinks.h"
#include "daemon/host/programs.h"

namespace berth::cli::doctor {
namespace {

constexpr std::chrono::seconds kPatience{10};

/// What a check wants of a sink; berthd itself reads the rest, and says what is wrong with it.
std::any read_access(config::Section& section) {
  SinkAccess access;
  access.ca_file = section.string("ca_file", {});
  access.certificate_file = section.string("certificate_file", {});
  access.key_file = section.string("key_file", {});
  access.token = section.string("token", {});
  access.password = section.string("password", {});
  section.other_keys_are_known();
  return access;
}

store::Paths paths_of(const Subject& subject) {
  if (subject.config) return {.state = subject.config->state, .logs = subject.config->logs, .run = subject.config->run};
  store::Paths paths;
  const auto* said = subject.status ? member(*subject.status, "paths") : nullptr;
  if (said == nullptr) return paths;
  for (const auto& [name, path] : {std::pair{"state", &paths.state}, {"logs", &paths.logs}, {"run", &paths.run}})
    if (const std::string text = text_of(*said, name); !text.empty()) *path = text;
  return paths;
}

/// The file that berthd says it was started with, which one of before this version does not.
fs::path config_of(const Subject& subject) {
  const auto* said = subject.status ? member(*subject.status, "paths") : nullptr;
  const std::string file = said == nullptr ? std::string() : text_of(*said, "config");
  return file.empty() ? usual_config() : fs::path(file);
}

}  // namespace

SinkAccess access_of(const config::Sink& sink) {
  const auto* access = std::any_cast<SinkAccess>(&sink.settings);
  SinkAccess known = access == nullptr ? SinkAccess() : *access;
  known.sink = sink.name;
  return known;
}

std::string time_text(Clock::time_point at) { return trust::to_string(std::chrono::floor<std::chrono::seconds>(at)); }

fs::path usual_config() {
  std::error_code ignored;
  return host::find_config_of_client(fs::read_symlink("/proc/self/exe", ignored), BERTH_BIN_DIR, BERTH_DEFAULT_CONFIG);
}

Subject read_subject(const Console& console, const fs::path& config_file) {
  Subject subject;
  auto status = ApiClient(console).get("/v1/status", kPatience);
  if (status) subject.status = std::move(*status);
  else subject.unreachable = status.error().message;
  subject.is_closed = !status && status.error().code == Errc::permission;
  subject.config_file = config_file.empty() ? config_of(subject) : config_file;
  subject.config_files = config::files_of(subject.config_file).value_or(std::vector{subject.config_file});
  auto config = config::load(subject.config_file, config::kinds_read_by(read_access));
  if (config) subject.config = std::move(*config);
  else subject.config_trouble = config.error().message;
  subject.config_is_closed = !config && config.error().code == Errc::permission;
  subject.paths = paths_of(subject);
  return subject;
}

}  // namespace berth::cli::doctor
