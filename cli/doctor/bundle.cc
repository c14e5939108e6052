#include "cli/doctor/bundle.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "cli/doctor/addresses.h"
#include "cli/doctor/scrub.h"
#include "cli/json_view.h"
#include "core/files/files.h"
#include "core/io/child.h"
#include "core/io/loop.h"

namespace berth::cli::doctor {
namespace {

constexpr std::size_t kMostFile = 2u << 20;      ///< of a log or the events: their ends
constexpr std::size_t kMostSecret = 64u << 10;
constexpr std::chrono::seconds kJournalPatience{30};
constexpr const char* kJournalLines = "20000";

/// The last whole lines of a file, `kMostFile` at most; or why there are none.
std::string end_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return fail_errno(path.string()).error().message + "\n";
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  const std::size_t take = std::min(size, kMostFile);
  std::string text(take, '\0');
  file.seekg(static_cast<std::streamoff>(size - take));
  file.read(text.data(), static_cast<std::streamsize>(take));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (take < size) text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
  return text;
}

boost::asio::awaitable<void> ask_journal(io::ChildSpec spec, std::string* into, io::Loop* loop) {
  const auto done = co_await io::run_child(std::move(spec));
  if (done) *into = std::move(done->output);
  else *into = done.error().message + "\n";
  loop->stop();
}

std::string journal() {
  io::ChildSpec spec;
  spec.argv = {"/usr/bin/journalctl", "--unit=berthd.service", "--no-pager", "--output=short-iso", "--lines", kJournalLines};
  spec.environment = {{"PATH", "/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  spec.deadline = kJournalPatience;
  spec.most_output = kMostFile;
  io::Loop loop;
  std::string said;
  loop.spawn("journal", ask_journal(std::move(spec), &said, &loop));
  loop.run();
  return said;
}

std::string versions(const Subject& subject) {
  std::string text = fmt::format("berth {}\n", BERTH_VERSION);
  text += subject.status ? fmt::format("berthd {}, since {}\n", text_of(*subject.status, "version"), text_of(*subject.status, "since")) : "berthd: " + subject.unreachable + "\n";
  utsname name{};
  if (::uname(&name) == 0) text += fmt::format("{} {} {} {}\n", name.sysname, name.release, name.version, name.machine);
  return text + files::read(subject.root / "etc/os-release", kMostSecret).value_or("");
}

/// The secrets that the configuration refers to, where they are files, and those in the addresses that it or they have: they are looked for in everything. It is
/// looked for references in its text, so that one that cannot be read as a configuration tells them, too.
std::vector<std::string> known_secrets(const std::string& config) {
  constexpr std::string_view kind = "file:";
  std::vector<std::string> secrets = secrets_of_addresses(config);
  for (std::size_t at = config.find(kind); at != std::string::npos; at = config.find(kind, at)) {
    at += kind.size();
    const std::size_t end = std::min(config.find_first_of("\"'\n", at), config.size());
    auto value = files::read(config.substr(at, end - at), kMostSecret);
    if (!value) continue;
    while (value->ends_with('\n') || value->ends_with('\r')) value->pop_back();
    for (std::string& part : secrets_of_addresses(*value)) secrets.push_back(std::move(part));
    secrets.push_back(std::move(*value));
  }
  std::ranges::sort(secrets, std::ranges::greater(), [](const std::string& secret) { return secret.size(); });  // one that is part of another goes after it
  return secrets;
}

/// The files of the configuration as they stand: berthd.toml, conf.d/10-web.toml.
std::vector<Member> configuration_of(const Subject& subject) {
  std::vector<Member> members;
  for (const fs::path& file : subject.config_files) {
    const std::string name = members.empty() ? "berthd.toml" : "conf.d/" + file.filename().string();
    auto text = files::read(file, kMostFile);
    members.push_back({name, text ? std::move(*text) : text.error().message + "\n"});
  }
  return members;
}

using Writer = std::unique_ptr<archive, decltype(&::archive_write_free)>;
using Entry = std::unique_ptr<archive_entry, decltype(&::archive_entry_free)>;

Result<void> fail_archive(archive* writer, const fs::path& file) {
  const char* said = ::archive_error_string(writer);
  return fail(Errc::io, fmt::format("write {}: {}", file.string(), said == nullptr ? "libarchive does not say why" : said));
}

Result<void> write_members(int fd, const fs::path& file, const std::vector<Member>& members, Clock::time_point at) {
  const Writer writer(::archive_write_new(), &::archive_write_free);
  const bool zstd = file.extension() == ".zst";
  if (::archive_write_set_format_pax_restricted(writer.get()) != ARCHIVE_OK ||
      (zstd ? ::archive_write_add_filter_zstd(writer.get()) : ::archive_write_add_filter_gzip(writer.get())) != ARCHIVE_OK ||
      ::archive_write_open_fd(writer.get(), fd) != ARCHIVE_OK)
    return fail_archive(writer.get(), file);
  const std::string folder = file.stem().stem();  // without .tar.zst
  for (const Member& member : members) {
    const Entry entry(::archive_entry_new(), &::archive_entry_free);
    ::archive_entry_set_pathname(entry.get(), (folder + "/" + member.name).c_str());
    ::archive_entry_set_filetype(entry.get(), AE_IFREG);
    ::archive_entry_set_perm(entry.get(), 0600);
    ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.content.size()));
    ::archive_entry_set_mtime(entry.get(), Clock::to_time_t(at), 0);
    if (::archive_write_header(writer.get(), entry.get()) != ARCHIVE_OK) return fail_archive(writer.get(), file);
    if (::archive_write_data(writer.get(), member.content.data(), member.content.size()) != static_cast<la_ssize_t>(member.content.size())) return fail_archive(writer.get(), file);
  }
  if (::archive_write_close(writer.get()) != ARCHIVE_OK) return fail_archive(writer.get(), file);
  return {};
}

Result<void> check_name(const fs::path& file) {
  const std::string name = file.filename();
  for (const std::string_view ending : {".tar.zst", ".tar.gz"})
    if (name.ends_with(ending) && name.size() > ending.size()) return {};
  return fail(Errc::usage, fmt::format("berth doctor: --bundle {}: give a name that ends with .tar.zst or .tar.gz", file.string()));
}

std::unexpected<Error> fail_there(const fs::path& file) {
  return fail(Errc::exists, fmt::format("berth doctor: --bundle {}: it is there already, and is not replaced: name another file, or remove it first", file.string()));
}

}  // namespace

std::vector<Member> bundle_members(const Subject& subject, const std::string& findings, const fs::path& log) {
  const auto configs = configuration_of(subject);
  std::vector<Member> members{{"doctor.json", findings + "\n"},
                              {"versions.txt", versions(subject)},
                              {"status.json", subject.status ? json::text(*subject.status) + "\n" : subject.unreachable + "\n"},
                              {"events.log", end_of(subject.paths.events())},
                              {"berthd.log", log.empty() ? journal() : end_of(log)}};
  members.insert(members.begin() + 2, configs.begin(), configs.end());
  std::vector<std::string> secrets;
  for (const Member& one : configs) std::ranges::move(known_secrets(one.content), std::back_inserter(secrets));
  for (Member& member : members) member.content = scrub(member.content, secrets);
  return members;
}

Result<void> check_bundle(const fs::path& file, const fs::path& log, bool is_root) {
  BERTH_CHECK(check_name(file));
  if (!is_root) return fail(Errc::permission, "berth doctor: --bundle is for root, who alone can read what goes into it and the secrets that are taken out of it; as root: sudo berth doctor --bundle FILE");
  std::error_code failure;
  if (fs::exists(fs::symlink_status(file, failure))) return fail_there(file);
  if (const fs::path folder = fs::absolute(file).parent_path(); !fs::is_directory(folder, failure))
    return fail(Errc::not_found, fmt::format("berth doctor: --bundle {}: there is no folder {}: make it, or name another file", file.string(), folder.string()));
  if (log.empty()) return {};
  const auto opened = files::open(log, O_RDONLY | O_NONBLOCK);
  if (opened && !fs::is_directory(log, failure)) return {};
  return fail(opened ? Errc::usage : opened.error().code,
              fmt::format("berth doctor: --log: {}: name the file that berthd's log goes to, or leave --log out where that is the journal", opened ? log.string() + " is a folder" : opened.error().message));
}

Result<void> write_bundle(const fs::path& file, const std::vector<Member>& members, Clock::time_point at) {
  BERTH_CHECK(check_name(file));
  auto created = files::open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!created) return created.error().code == Errc::exists ? fail_there(file) : pass(std::move(created.error()), "berth doctor: --bundle");
  const Fd opened = std::move(*created);
  Result<void> written = ::fchmod(opened.get(), 0600) == 0 ? write_members(opened.get(), file, members, at) : fail_errno("chmod " + file.string());
  if (written && ::fsync(opened.get()) != 0) written = fail_errno("fsync " + file.string());
  if (!written) ::unlink(file.c_str());
  return written;
}

}  // namespace berth::cli::doctor
