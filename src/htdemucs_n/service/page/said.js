// What the service says, in the language of the page. The service itself speaks English, which other programs read too.

import { language } from "./words.js";

const CHINESE = [
  [/^'(.*)' is empty \(0 bytes\): .*/, "“$1”是空文件：请重新获取此文件"],
  [/^'(.*)' is not an audio file that can be read: .*/, "“$1”不是可读取的音频文件：请检查文件，或转换为 WAV"],
  [/^'(.*)' has no audio stream: .*/, "“$1”没有声音：请选择有声音的文件"],
  [/^'(.*)' contains no audio.*/, "“$1”中没有可读取的声音：请重新获取此文件"],
  [/^'(.*)' has a codec that .*/, "“$1”的编码无法解码：请转换为 WAV"],
  [/^'(.*)' contains NaN or infinite samples: .*/, "“$1”含有无效采样：请从来源重新导出"],
  [/^'(.*)' is ([\d.]+) minutes long: ([\d.]+) minutes are the limit/, "“$1”长 $2 分钟：上限为 $3 分钟"],
  [/^it is longer than ([\d.]+) minutes, which is the limit/, "歌曲超过 $1 分钟的上限"],
  [/^the file is too large: it may have (\d+) MiB/, "文件过大：上限为 $1 MiB"],
  [/^(\d+) jobs are waiting, which is the limit: .*/, "已有 $1 首歌曲在等待，队列已满：请稍后再提交"],
  [/^the library is full, it may hold ([\d.]+) GiB: .*/, "曲库已满，上限为 $1 GiB：请删除一些歌曲"],
  [/^(cannot write|the disk) .*make room.*/, "磁盘已满或无法写入：请腾出空间"],
  [/^'name' is too long: give (\d+) .*/, "名称过长：最多 $1 个字符"],
  [/^the job is running: .*/, "歌曲正在分离：请先取消，停止后再删除"],
  [/^there is no such job: .*/, "没有这首歌曲：它已被删除"],
  [/^there is no such file, or no longer: .*/, "文件已不存在：请重新生成"],
  [/^an error of the program: .*/, "程序出错：详情见日志"],
  [/^the song is too long for another tempo or pitch: the result may have (\d+) minutes/, "歌曲过长，无法改变速度或音高：结果上限为 $1 分钟"],
  [/^the stem other is not transcribed: .*/, "未识别“其他”分轨的音符：它需要安装 basic-pitch"],
  [/^there is nothing to transcribe: .*/, "没有可识别音符的分轨"],
  [/^the file is cut short: the first ([\d.]+) s of ([\d.]+) s could be read/, "文件不完整：$2 秒中只读取了前 $1 秒"],
  [/^(\d+) damaged place\(s\) could not be read and were left out/, "略去了 $1 处损坏的内容"],
  [/^its (\d+) channels were mixed down to stereo/, "$1 个声道已混合为立体声"],
  [/^(\S+) cannot hold its sample rate: the stems are at (\d+) Hz/, "$1 不支持歌曲的采样率：分轨采用 $2 Hz"],
  [/^a stem exceeded full scale, so all stems were scaled by ([\d.]+).*/, "有分轨超出满刻度，全部分轨已按 $1 倍缩放"],
  [/^a stem exceeded full scale and was clipped.*/, "有分轨超出满刻度，已被削波，因此各分轨相加与原曲不完全一致"],
  [/^kick, snare, toms, hihat, cymbals$/, "底鼓、军鼓、嗵鼓、踩镲、镲片"],
];

/** A line of the service as the page says it. One that is not known stays as it is. */
export function inLanguage(line) {
  const known = language === "zh" && CHINESE.find(([english]) => english.test(line));
  return known ? line.replace(...known) : line;
}
