#include "cli/enrol/issued_list.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>

#include "cli/json_view.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "core/trust/time.h"

namespace berth::cli::enrol {
namespace {

constexpr std::size_t kMostList = 64u << 20;

constexpr std::pair<Reason, const char*> kReasons[] = {{Reason::unspecified, "unspecified"},
                                                       {Reason::key_compromise, "key-compromise"},
                                                       {Reason::affiliation_changed, "affiliation-changed"},
                                                       {Reason::superseded, "superseded"},
                                                       {Reason::cessation_of_operation, "cessation-of-operation"},
                                                       {Reason::privilege_withdrawn, "privilege-withdrawn"}};

Result<Issued> issued_of(const json::value& line) {
  Issued one{.serial = text_of(line, "serial"), .names = {}, .use = text_of(line, "use"), .begins = {}, .ends = {}};
  for (const auto& name : list_of(line, "names"))
    if (name.is_string()) one.names.emplace_back(name.get_string());
  BERTH_TRY(one.begins, trust::parse_time(text_of(line, "begins")));
  BERTH_TRY(one.ends, trust::parse_time(text_of(line, "ends")));
  return one;
}

Result<void> mark_revoked(ListContent& content, const json::value& line) {
  Revoked revoked;
  BERTH_TRY(revoked.at, trust::parse_time(text_of(line, "at")));
  BERTH_TRY(revoked.reason, parse_reason(text_of(line, "reason")));
  for (Issued& one : content.issued)
    if (one.serial == text_of(line, "revoked") && !one.revoked) one.revoked = revoked;
  return {};
}

Result<void> take(ListContent& content, const json::value& line) {
  if (member(line, "revoked") != nullptr) return mark_revoked(content, line);
  if (member(line, "crl") != nullptr) {
    content.crl_number = static_cast<std::uint64_t>(number_of(line, "crl"));
    BERTH_TRY(content.crl_at, trust::parse_time(text_of(line, "at")));
    return {};
  }
  BERTH_TRY(Issued one, issued_of(line));
  content.issued.push_back(std::move(one));
  return {};
}

Result<ListContent> parse(const std::string& text, const fs::path& file) {
  ListContent content;
  std::istringstream lines(text.substr(0, text.rfind('\n') + 1));  // the rest was cut off, and nobody was told that it is there
  for (std::string line; std::getline(lines, line);) {
    auto parsed = json::parse(line);
    if (!parsed) return pass(parsed.error(), file.string());
    if (const auto taken = take(content, *parsed); !taken) return pass(taken.error(), file.string());
  }
  return content;
}

}  // namespace

std::string to_string(Reason reason) { return std::ranges::find(kReasons, reason, &std::pair<Reason, const char*>::first)->second; }

Result<Reason> parse_reason(const std::string& text) {
  std::string known;
  for (const auto& [reason, name] : kReasons) {
    if (text == name) return reason;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  return fail(Errc::usage, fmt::format("'{}' is no reason to revoke a certificate: give one of {}", text, known));
}

Result<IssuedList> IssuedList::lock(const fs::path& path) {
  BERTH_TRY(Fd file, files::open(path, O_RDWR | O_CREAT | O_APPEND, 0644));
  if (::flock(file.get(), LOCK_EX) != 0) return fail_errno("lock " + path.string());
  return IssuedList(path, std::move(file));
}

Result<ListContent> IssuedList::read(const fs::path& path) {
  const auto text = files::read(path, kMostList);
  if (!text && text.error().code == Errc::not_found) return ListContent();
  if (!text) return std::unexpected(text.error());
  return parse(*text, path);
}

Result<ListContent> IssuedList::content() const { return read(path_); }

Result<void> IssuedList::add(const Issued& issued) {
  const json::object line{{"serial", issued.serial}, {"names", json::array(issued.names.begin(), issued.names.end())}, {"use", issued.use},
                          {"begins", trust::to_string(issued.begins)}, {"ends", trust::to_string(issued.ends)}};
  return append(json::text(line) + "\n");
}

Result<void> IssuedList::add_revoked(const std::vector<Issued>& all) {
  std::string lines;
  for (const Issued& one : all)
    lines += json::text(json::object{{"revoked", one.serial}, {"at", trust::to_string(one.revoked->at)}, {"reason", to_string(one.revoked->reason)}}) + "\n";
  return append(lines);
}

Result<void> IssuedList::add_crl(std::uint64_t number, Clock::time_point at) { return append(json::text(json::object{{"crl", number}, {"at", trust::to_string(at)}}) + "\n"); }

Result<void> IssuedList::append(const std::string& lines) {
  const std::string name = path_.string();
  BERTH_TRY(const std::string known, files::read(path_, kMostList));
  const std::size_t whole = known.rfind('\n') + 1;  // the rest is of something that was cut off, whose end nobody saw
  if (whole < known.size() && ::ftruncate(file_.get(), static_cast<off_t>(whole)) != 0) return fail_errno("cut a torn last line off " + name);
  BERTH_CHECK(files::write_all(file_.get(), lines, name));
  if (::fsync(file_.get()) != 0) return fail_errno("fsync " + name);
  return files::sync(path_.parent_path());
}

}  // namespace berth::cli::enrol
