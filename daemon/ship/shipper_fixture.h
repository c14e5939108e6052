#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/io/on_loop.h"
#include "daemon/ship/ship_fixture.h"
#include "daemon/ship/shipper.h"

namespace berth::ship {

using boost::asio::awaitable;
using namespace std::chrono_literals;

/// Does with batches what a test says, in turn; takes what comes afterwards.
class FakeSink final : public Sink {
 public:
  struct Seen {
    std::vector<std::vector<std::string>> sent;
    std::deque<Delivery> answers;
    std::chrono::milliseconds takes{0};
    bool is_sending = false;
  };
  explicit FakeSink(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}

  const std::string& name() const override { return name_; }
  BatchLimits limits() const override { return {.entries = 3}; }
  awaitable<Delivery> send(std::span<const Entry> batch) override {
    std::vector<std::string> texts;
    for (const Entry& entry : batch) texts.push_back(entry.text);
    const auto seen = seen_;  // it may be gone before it has sent
    seen->sent.push_back(std::move(texts));
    seen->is_sending = true;
    if (seen->takes > 0ms) co_await io::sleep_for(seen->takes);
    seen->is_sending = false;
    Delivery delivery;
    if (!seen->answers.empty()) {
      delivery = seen->answers.front();
      seen->answers.pop_front();
    }
    co_return delivery;
  }

 private:
  std::string name_ = "fake";
  std::shared_ptr<Seen> seen_;
};

class ShipperTest : public ShipFixture {
 protected:
  ShipperParts shipper_parts(bool required = true) {
    return {.loop = loop,
            .make_sink = [this]() -> Result<std::unique_ptr<Sink>> {
              if (refusals_to_make > 0) {
                --refusals_to_make;
                return fail(Errc::usage, "ca_file: it is not there");
              }
              return std::make_unique<FakeSink>(seen);
            },
            .gatherer = parts(),
            .tell = [this](store::Event event) {
              const std::lock_guard lock(mutex);
              told.push_back(std::move(event));
            },
            .name = "agent",
            .kind = "fake",
            .required = required,
            .batch_wait = 5ms,
            .wait_before_retry = [this](int failures, std::chrono::milliseconds asked, double) {
              waits.emplace_back(failures, asked);
              return pause;
            }};
  }

  /// Runs until `done`, or for ten seconds; then ends the shipper.
  void run(Shipper& shipper, std::function<bool()> done) {
    shipper.start();
    shipper.news(std::make_shared<Scan>(scan()));
    io::on_loop(loop, until(shipper, std::move(done)));
  }
  awaitable<void> until(Shipper& shipper, std::function<bool()> done) {
    for (int i = 0; i < 2000 && !done(); ++i) co_await io::sleep_for(5ms);
    EXPECT_TRUE(done());
    shipper.stop();
    const bool ended = co_await shipper.ended(10s);
    EXPECT_TRUE(ended);
  }
  std::vector<std::string> kinds_told() {
    std::vector<std::string> kinds;
    for (const auto& event : told) kinds.push_back(event.kind);
    return kinds;
  }
  std::function<bool()> taken(Shipper& shipper, std::uint64_t batches) {
    return [&shipper, batches] { return shipper.status().batches >= batches && shipper.status().state == "up to date"; };
  }

  io::Loop loop;
  std::shared_ptr<FakeSink::Seen> seen = std::make_shared<FakeSink::Seen>();
  int refusals_to_make = 0;
  std::mutex mutex;
  std::vector<store::Event> told;
  std::vector<std::pair<int, std::chrono::milliseconds>> waits;
  std::chrono::milliseconds pause{2};  ///< after a failure
};

}  // namespace berth::ship
