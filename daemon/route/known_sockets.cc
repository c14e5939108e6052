#include "daemon/route/known_sockets.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::route {
namespace {

constexpr std::size_t kMostBytes = 1u << 20;

/// The words of a line, which one space parts.
std::vector<std::string_view> words_of(std::string_view line) {
  for (std::vector<std::string_view> words;; line.remove_prefix(words.back().size() + 1)) {
    words.push_back(line.substr(0, line.find(' ')));
    if (words.back().size() == line.size()) return words;
  }
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::map<std::uint64_t, KnownSocket> parse_known_sockets(std::string_view text) {
  std::map<std::uint64_t, KnownSocket> sockets;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.size() != 3 || (words[2] != "serving" && words[2] != "waiting")) continue;
    const auto cookie = number<std::uint64_t>(words[0]);
    const auto port = number<std::uint16_t>(words[1]);
    if (cookie && port) sockets[*cookie] = {.port = *port, .serving = words[2] == "serving"};
  }
  return sockets;
}

std::string to_text(const std::map<std::uint64_t, KnownSocket>& sockets) {
  std::string text;
  for (const auto& [cookie, socket] : sockets) text += fmt::format("{} {} {}\n", cookie, socket.port, socket.serving ? "serving" : "waiting");
  return text;
}

KnownSockets::KnownSockets(std::filesystem::path file) : file_(std::move(file)) {
  if (const auto text = files::read(file_, kMostBytes)) sockets_ = parse_known_sockets(*text);
}

bool KnownSockets::serves(std::uint64_t cookie) const {
  const auto found = sockets_.find(cookie);
  return found != sockets_.end() && found->second.serving;
}

std::set<std::uint64_t> KnownSockets::cookies() const {
  std::set<std::uint64_t> all;
  for (const auto& [cookie, socket] : sockets_) all.insert(cookie);
  return all;
}

Result<void> KnownSockets::add(std::uint64_t cookie, std::uint16_t port) {
  auto sockets = sockets_;
  sockets.try_emplace(cookie, KnownSocket{.port = port});
  return save(std::move(sockets));
}

Result<void> KnownSockets::serve(std::uint16_t port, const std::set<std::uint64_t>& cookies) {
  auto sockets = sockets_;
  for (auto& [cookie, socket] : sockets) {
    if (socket.port == port) socket.serving = cookies.contains(cookie);
  }
  return save(std::move(sockets));
}

Result<void> KnownSockets::remove(std::uint64_t cookie) {
  auto sockets = sockets_;
  sockets.erase(cookie);
  return save(std::move(sockets));
}

Result<void> KnownSockets::keep_only(const std::set<std::uint64_t>& cookies) {
  auto sockets = sockets_;
  std::erase_if(sockets, [&](const auto& entry) { return !cookies.contains(entry.first); });
  return save(std::move(sockets));
}

Result<void> KnownSockets::save(std::map<std::uint64_t, KnownSocket> sockets) {
  if (sockets == sockets_) return {};
  const auto beside = file_.string() + ".new";
  std::error_code ignored;
  std::filesystem::create_directories(file_.parent_path(), ignored);
  {
    BERTH_TRY(const Fd file, files::open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    BERTH_CHECK(files::write_all(file.get(), to_text(sockets), beside));
  }
  if (std::rename(beside.c_str(), file_.c_str()) != 0) return fail_errno("rename to " + file_.string());
  sockets_ = std::move(sockets);
  return {};
}

}  // namespace berth::route
