#include "cli/traced_repository.h"

#include <chrono>
#include <utility>

#include <fmt/core.h>

#include "cli/output/text.h"

namespace berth::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// "http://…/metadata/timestamp.json: 812 B after 3.1ms".
std::string outcome(const std::string& what, Clock::time_point began, std::uint64_t bytes, const Error* error) {
  const std::string took = fine_time_text(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began));
  if (error == nullptr) return fmt::format("{}: {} after {}", what, bytes_text(bytes), took);
  return fmt::format("{}: {} after {} ({})", what, error->message, took, to_string(error->code));
}

class TracedRemote : public trust::Remote {
 public:
  TracedRemote(std::unique_ptr<trust::Remote> remote, std::string place, Tell tell) : remote_(std::move(remote)), place_(std::move(place)), tell_(std::move(tell)) {}

  Result<std::string> get(std::string_view path, std::uint64_t most) override {
    const auto began = Clock::now();
    auto got = remote_->get(path, most);
    tell_(outcome(fmt::format("{}/{}", place_, path), began, got ? got->size() : 0, got ? nullptr : &got.error()));
    return got;
  }

 private:
  std::unique_ptr<trust::Remote> remote_;
  std::string place_;
  Tell tell_;
};

class TracedBlobs : public fetch::BlobSource {
 public:
  TracedBlobs(std::unique_ptr<fetch::BlobSource> source, std::string place, Tell tell) : source_(std::move(source)), place_(std::move(place)), tell_(std::move(tell)) {}

  Result<void> read(const std::string& path, std::uint64_t from, std::uint64_t most, const fetch::Sink& sink, std::stop_token stop) override {
    const auto began = Clock::now();
    std::uint64_t bytes = 0;
    const fetch::Sink counting = [&](std::string_view piece) -> Result<void> {
      bytes += piece.size();
      return sink(piece);
    };
    auto got = source_->read(path, from, most, counting, std::move(stop));
    const std::string part = from == 0 ? std::string() : fmt::format(" from byte {}", from);
    tell_(outcome(fmt::format("{}/{}{}", place_, path, part), began, bytes, got ? nullptr : &got.error()));
    return got;
  }

 private:
  std::unique_ptr<fetch::BlobSource> source_;
  std::string place_;
  Tell tell_;
};

}  // namespace

std::unique_ptr<trust::Remote> traced(std::unique_ptr<trust::Remote> remote, std::string place, Tell tell) {
  if (!tell) return remote;
  return std::make_unique<TracedRemote>(std::move(remote), std::move(place), std::move(tell));
}

std::unique_ptr<fetch::BlobSource> traced(std::unique_ptr<fetch::BlobSource> source, std::string place, Tell tell) {
  if (!tell) return source;
  return std::make_unique<TracedBlobs>(std::move(source), std::move(place), std::move(tell));
}

}  // namespace berth::cli
