#include "hq/batch/batch_threads.h"

#include <filesystem>

#include "batch/calls.h"
#include "hq/base/answer_threads.h"
#include "hq/base/small_files.h"
#include "hq/base/text_parts.h"

namespace hq {

namespace {

constexpr size_t kMostThreads = 8;
constexpr Duration kCommandLimit = 30s;
constexpr size_t kMostIdBytes = 4096;

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
    if (auto written = write_text(script, request.script, 0666); !written) {
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
  (void)write_text(request.directory + "/jobid", *id, 0666);
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
    if (text) answer.id = trim(*text);
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

using Asked = std::pair<BatchId, BatchRequest>;

class PooledBatch final : public BatchThreads {
 public:
  explicit PooledBatch(AnswerThreads<Asked, BatchAnswer> threads) : threads_(std::move(threads)) {}
  void ask(BatchId id, BatchRequest request) override { threads_.ask({id, std::move(request)}); }
  std::optional<BatchAnswer> next_answer() override { return threads_.next_answer(); }
  [[nodiscard]] int event_fd() const override { return threads_.event_fd(); }

 private:
  AnswerThreads<Asked, BatchAnswer> threads_;
};

}  // namespace

BatchAnswer answer_batch_request(BatchId id, const BatchRequest& request) {
  BatchAnswer answer;
  answer.request = id;
  std::visit(Answering{answer}, request);
  return answer;
}

Result<std::unique_ptr<BatchThreads>> make_batch_threads() {
  auto threads = AnswerThreads<Asked, BatchAnswer>::make(
      [](const Asked& asked) { return answer_batch_request(asked.first, asked.second); }, kMostThreads);
  if (!threads) return std::move(threads.error()).with_context("Cannot watch the commands of batch systems");
  return std::unique_ptr<BatchThreads>(std::make_unique<PooledBatch>(*std::move(threads)));
}

}  // namespace hq
