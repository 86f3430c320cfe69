// Draws a dashboard as Grafana draws it. `window.shown` has what picture.py read: the dashboard, the range of time in
// seconds, the interval of its points, and by panel the series with which Prometheus answered its query.
import "@fontsource/inter/latin-400.css";
import "@fontsource/inter/latin-500.css";
import { createDataFrame, createTheme, dateTime, FieldType, getDisplayProcessor, ThemeContext } from "@grafana/data";
import { initPluginTranslations } from "@grafana/i18n";
import { AxisPlacement, ScaleDirection, ScaleOrientation } from "@grafana/schema";
import { BigValue, GlobalStyles, GraphNG, PanelChrome, TimeSeries, UPlotConfigBuilder } from "@grafana/ui";
import { createRoot } from "react-dom/client";

const { dashboard, range, interval, series } = window.shown;
// Grafana's grid, in pixels.
const [WIDTH, COLUMNS, CELL, GAP] = [1200, 24, 30, 8];
const theme = createTheme({ colors: { mode: "dark" } });
const timeZone = "utc";
const timeRange = { from: dateTime(range[0] * 1000), to: dateTime(range[1] * 1000) };
timeRange.raw = timeRange;
const legend = { showLegend: true, displayMode: "list", placement: "bottom", calcs: [] };
// What Grafana takes where a dashboard says nothing.
const custom = {
  drawStyle: "line",
  lineWidth: 1,
  fillOpacity: 0,
  showPoints: "auto",
  pointSize: 5,
  axisPlacement: "auto",
};

function frames({ id, fieldConfig: { defaults }, targets: [{ legendFormat }] }) {
  return series[id].map(({ metric, values }, seriesIndex) => {
    const displayNameFromDS = legendFormat.replace(/{{(.+?)}}/g, (_, label) => metric[label] ?? "");
    const config = { ...defaults, displayNameFromDS, custom: { ...custom, ...defaults.custom } };
    const frame = createDataFrame({
      fields: [
        // Of the interval: where a point is missing, the line has a gap.
        {
          name: "Time",
          type: FieldType.time,
          values: values.map(([time]) => time * 1000),
          config: { interval: interval * 1000 },
        },
        {
          name: "Value",
          type: FieldType.number,
          values: values.map(([, value]) => Number(value)),
          labels: metric,
          config,
        },
      ],
    });
    for (const field of frame.fields) {
      field.display = getDisplayProcessor({ field, theme, timeZone });
      field.state = { seriesIndex };
    }
    return frame;
  });
}

function Stat({ panel, ...size }) {
  const { values, display } = frames(panel)[0].fields[1];
  return (
    <BigValue
      {...size}
      {...panel.options}
      theme={theme}
      value={display(values.at(-1))}
      colorMode="value"
      textMode="value"
    />
  );
}

function Graph({ panel, ...size }) {
  return <TimeSeries {...size} frames={frames(panel)} timeRange={timeRange} timeZone={timeZone} legend={legend} />;
}

// Grafana's own is not in its library: a row for each series, a box for as long as its value stays the same.
function StateTimeline({ panel, ...size }) {
  const all = frames(panel);
  const prepConfig = () => {
    const builder = new UPlotConfigBuilder(timeZone);
    const axis = { theme, timeZone, grid: { show: false } };
    const scale = { orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right };
    builder.addScale({ ...scale, scaleKey: "x", isTime: true, range: () => range.map((each) => each * 1000) });
    builder.addAxis({ ...axis, scaleKey: "x", isTime: true, placement: AxisPlacement.Bottom });
    builder.addScale({
      scaleKey: "y",
      orientation: ScaleOrientation.Vertical,
      direction: ScaleDirection.Down,
      range: () => [0, all.length],
    });
    builder.addAxis({
      ...axis,
      scaleKey: "y",
      placement: AxisPlacement.Left,
      ticks: { show: false },
      splits: () => all.map((_, row) => row + 0.5),
      values: () => all.map((frame) => frame.fields[1].config.displayNameFromDS),
    });
    for (const _ of all) builder.addSeries({ scaleKey: "y", theme, pathBuilder: () => null, showPoints: "never" });
    builder.setPrepData(([{ fields }]) => fields.map(({ values }) => values));
    builder.addHook("draw", (plot) => all.forEach((frame, row) => boxes(plot, frame, row)));
    return builder;
  };
  return (
    <GraphNG
      {...size}
      theme={theme}
      frames={all}
      timeRange={timeRange}
      timeZone={timeZone}
      prepConfig={prepConfig}
      propsToDiff={[]}
      renderLegend={() => null}
    />
  );
}

function boxes({ ctx, valToPos }, { fields: [{ values: times }, { values, display }] }, row) {
  const [top, bottom] = [row + 0.05, row + 0.95].map((each) => valToPos(each, "y", true));
  for (let begin = 0, end; begin < values.length; begin = end) {
    end = values.findIndex((value, index) => index > begin && value !== values[begin]);
    if (end < 0) end = values.length;
    const [left, right] = [times[begin], times[Math.min(end, times.length - 1)]].map((each) =>
      valToPos(each, "x", true),
    );
    const { text, color } = display(values[begin]);
    ctx.fillStyle = theme.visualization.getColorByName(color);
    ctx.globalAlpha = 0.7;
    ctx.fillRect(left, top, right - left, bottom - top);
    ctx.globalAlpha = 1;
    ctx.fillStyle = theme.colors.text.primary;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    if (right - left > ctx.measureText(text).width + 8) ctx.fillText(text, left + 4, (top + bottom) / 2);
  }
}

const drawn = { stat: Stat, timeseries: Graph, "state-timeline": StateTimeline };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const column = (WIDTH + GAP) / COLUMNS;
  const size = { width: w * column - GAP, height: h * (CELL + GAP) - GAP };
  const Drawn = drawn[panel.type];
  return (
    <div style={{ position: "absolute", left: GAP + x * column, top: GAP + y * (CELL + GAP), ...size }}>
      <PanelChrome {...size} title={panel.title}>
        {(width, height) =>
          series[panel.id].length ? <Drawn panel={panel} width={width} height={height} /> : "No data"
        }
      </PanelChrome>
    </div>
  );
}

async function draw(root) {
  // A canvas takes what font there is at the moment.
  await Promise.all([
    initPluginTranslations("grafana"),
    ...["400 12px Inter", "500 14px Inter"].map((font) => document.fonts.load(font)),
  ]);
  const rows = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  Object.assign(root.style, {
    position: "relative",
    width: `${WIDTH + 2 * GAP}px`,
    height: `${rows * (CELL + GAP) + GAP}px`,
  });
  createRoot(root).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      {dashboard.panels.map((panel) => (
        <Panel key={panel.id} panel={panel} />
      ))}
    </ThemeContext.Provider>,
  );
}

draw(document.getElementById("dashboard"));
