#include "core/io/loop.h"
#include "daemon/ship/sinks/courier.h"

namespace berth::ship {
namespace {

class ThreadedSink final : public Sink {
 public:
  ThreadedSink(std::string name, BatchLimits limits, std::unique_ptr<Courier> courier)
      : name_(std::move(name)), limits_(limits), courier_(std::move(courier)), thread_(1) {}
  ~ThreadedSink() override { stop_.request_stop(); }

  const std::string& name() const override { return name_; }
  BatchLimits limits() const override { return limits_; }

  boost::asio::awaitable<Delivery> send(std::span<const Entry> batch) override {
    stop_ = std::stop_source();
    auto work = [courier = courier_.get(), batch, stop = stop_.get_token()] { return courier->deliver(batch, stop); };
    auto delivering = thread_.run(std::move(work), stop_);
    co_return co_await std::move(delivering);
  }

 private:
  std::string name_;
  BatchLimits limits_;
  std::unique_ptr<Courier> courier_;
  std::stop_source stop_;
  io::Pool thread_;  // goes first, and waits for what it does
};

}  // namespace

std::unique_ptr<Sink> make_threaded_sink(std::string name, BatchLimits limits, std::unique_ptr<Courier> courier) {
  return std::make_unique<ThreadedSink>(std::move(name), limits, std::move(courier));
}

}  // namespace berth::ship
