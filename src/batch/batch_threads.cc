#include "hq/batch/batch_threads.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

#include "batch/calls.h"
#include "hq/base/signals_blocked.h"
#include "hq/base/small_files.h"
#include "hq/base/unique_fd.h"

namespace hq {

namespace {

constexpr size_t kMostThreads = 8;
constexpr Duration kCommandLimit = 30s;
constexpr size_t kMostIdBytes = 4096;

Result<void> write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file.valid()) return os_error(errno);
  return write_all(file.get(), text);
}

RunBatchCommand runner(const std::string& directory = {}) {
  return [directory](const std::vector<std::string>& argv) {
    return run_command(argv, kCommandLimit, directory);
  };
}

// On success the answer has the id.
void submit(const BatchSubmit& request, BatchAnswer& answer) {
  const BatchCalls& calls = batch_calls(request.manager);
  std::error_code failed;
  std::filesystem::create_directories(request.directory, failed);
  const std::string script = request.directory + "/hq-submit.sh";
  if (!failed) {
    if (auto written = write_file(script, request.script); !written) {
      answer.failure = {"Cannot write '" + script + "'", written.error().message};
      return;
    }
  } else {
    answer.failure = {"Cannot make directory '" + request.directory + "'", failed.message()};
    return;
  }
  const auto output = runner(request.directory)({calls.submit_program, script});
  answer.failure = failure_of(calls.submit_program, output);
  if (answer.failure) return;
  const auto id = calls.submitted_id(output->out);
  if (!id) {
    answer.failure = {"Missing job id in " + calls.submit_program + " output", ""};
    return;
  }
  answer.id = *id;
  // Without the file a crash of the server at this very moment would lose the allocation; nothing else would.
  (void)write_file(request.directory + "/jobid", *id);
}

void cancel(const BatchCancel& request, BatchAnswer& answer) {
  const BatchCalls& calls = batch_calls(request.manager);
  answer.failure = failure_of(calls.cancel_program, runner()({calls.cancel_program, request.id}));
}

struct Answering {
  BatchAnswer& answer;

  void operator()(const BatchSubmit& request) const { submit(request, answer); }
  void operator()(const BatchCancel& request) const { cancel(request, answer); }
  void operator()(const BatchQuery& request) const {
    answer.statuses = batch_calls(request.manager).query(request.ids, runner());
  }
  void operator()(const BatchRecall& request) const {
    auto text = read_text(request.directory + "/jobid", kMostIdBytes);
    if (text) answer.id = trimmed_text(*text);
  }
  void operator()(const BatchDiscard& request) const {
    std::error_code ignored;  // what can't be removed stays
    for (const std::string& directory : request.directories) std::filesystem::remove_all(directory, ignored);
  }
  void operator()(const BatchTrial& request) const {
    std::error_code failed;
    if (!std::filesystem::create_directory(request.root, failed)) {
      answer.failure = {"Cannot make directory '" + request.root + "'", failed.message()};
      return;
    }
    submit(request.submit, answer);
    if (answer.failure) {
      answer.failure->headline = "Could not submit allocation: " + answer.failure->headline;
      return;
    }
    cancel({request.submit.manager, answer.id}, answer);
    if (answer.failure) {
      answer.failure = {"Could not cancel allocation " + answer.id,
                        answer.failure->headline + "\n" + answer.failure->details};
      return;
    }
    std::filesystem::remove_all(request.root, failed);
  }
};

// Shared with the threads; outlives the owner if one of them hangs.
struct BatchRoom {
  explicit BatchRoom(UniqueFd descriptor) : fd(std::move(descriptor)) {}
  const UniqueFd fd;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::pair<BatchId, BatchRequest>> requests;
  std::deque<BatchAnswer> answers;
  size_t threads = 0;
  size_t idle = 0;
  bool closed = false;

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      ++idle;
      wake.wait(lock, [&] { return closed || !requests.empty(); });
      --idle;
      if (requests.empty()) return;
      const auto [id, request] = std::move(requests.front());
      requests.pop_front();
      lock.unlock();
      BatchAnswer answer = answer_batch_request(id, request);
      lock.lock();
      answers.push_back(std::move(answer));
      const uint64_t one = 1;
      [[maybe_unused]] ssize_t put = ::write(fd.get(), &one, sizeof one);
    }
  }
};

class PooledBatch final : public BatchThreads {
 public:
  explicit PooledBatch(std::shared_ptr<BatchRoom> room) : room_(std::move(room)) {}
  PooledBatch(const PooledBatch&) = delete;
  PooledBatch& operator=(const PooledBatch&) = delete;
  ~PooledBatch() override {
    std::lock_guard lock(room_->mutex);
    room_->closed = true;
    room_->requests.clear();
    room_->wake.notify_all();
  }
  void ask(BatchId id, BatchRequest request) override {
    std::lock_guard lock(room_->mutex);
    room_->requests.emplace_back(id, std::move(request));
    if (room_->idle < room_->requests.size() && room_->threads < kMostThreads) add_thread();
    room_->wake.notify_one();
  }
  std::optional<BatchAnswer> next_answer() override {
    std::lock_guard lock(room_->mutex);
    if (room_->answers.empty()) return std::nullopt;
    BatchAnswer answer = std::move(room_->answers.front());
    room_->answers.pop_front();
    uint64_t number = 0;
    if (room_->answers.empty()) [[maybe_unused]]
      ssize_t got = ::read(room_->fd.get(), &number, sizeof number);
    return answer;
  }
  [[nodiscard]] int event_fd() const override { return room_->fd.get(); }

 private:
  void add_thread() {
    ++room_->threads;
    // Signals are for the thread that decides.
    const SignalsBlocked blocked;
    std::thread([room = room_] { room->work(); }).detach();
  }

  const std::shared_ptr<BatchRoom> room_;
};

}  // namespace

BatchAnswer answer_batch_request(BatchId id, const BatchRequest& request) {
  BatchAnswer answer;
  answer.request = id;
  std::visit(Answering{answer}, request);
  return answer;
}

Result<std::unique_ptr<BatchThreads>> make_batch_threads() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return os_error(errno).with_context("Cannot watch the commands of batch systems");
  return std::unique_ptr<BatchThreads>(
      std::make_unique<PooledBatch>(std::make_shared<BatchRoom>(std::move(fd))));
}

}  // namespace hq
