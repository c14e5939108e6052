#include "daemon/ship/sinks/tls_files.h"

#include <utility>

#include <fcntl.h>
#include <fmt/core.h>

#include "core/files/files.h"
#include "daemon/config/values.h"

namespace berth::ship {

io::TlsOptions parse_tls(config::Section& section, bool is_tls) {
  io::TlsOptions tls;
  const std::pair<const char*, std::string*> keys[] = {
      {"ca_file", &tls.ca_file}, {"certificate_file", &tls.certificate_file}, {"key_file", &tls.key_file}};
  for (const auto& [key, into] : keys) {
    section.read(key, *into, [](const std::string& text) -> Result<std::string> {
      BERTH_TRY(const auto path, config::parse_path(text));
      return path.string();
    });
    if (section.has(key) && !is_tls) section.complain(key, fmt::format("{} is for tls:// and https:// alone", key));
  }
  if (section.has("certificate_file") != section.has("key_file"))
    section.complain(section.has("key_file") ? "key_file" : "certificate_file", "certificate_file and key_file go together: give both or none");
  return tls;
}

Result<void> check_tls(const io::TlsOptions& tls) {
  const std::pair<const char*, const std::string*> keys[] = {
      {"ca_file", &tls.ca_file}, {"certificate_file", &tls.certificate_file}, {"key_file", &tls.key_file}};
  for (const auto& [key, path] : keys) {
    if (path->empty()) continue;
    if (const auto file = files::open(*path, O_RDONLY); !file) return fail(Errc::usage, fmt::format("{}: {}", key, file.error().message));
  }
  return {};
}

}  // namespace berth::ship
